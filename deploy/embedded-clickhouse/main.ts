/**
 * The embedded engine as a process: `node deploy/embedded-clickhouse/main.ts --data-dir DIR --engine-address 127.0.0.1:8123`. Started by
 * supervisor.ts, over whose channel it says when it is ready, and whose end it takes as its own; started by hand it runs alone.
 */
import { describeSettings, flagOf, readConfig, setting } from "@callchain/schemas/runtime/config.ts";
import { listen, urlOf } from "@callchain/schemas/runtime/listen.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import { Engine } from "./engine/engine.ts";
import { writeHolder } from "./engine/holder.ts";
import { createEngineServer } from "./http/server.ts";

const MIB = 1024 * 1024;

const SETTINGS = {
  dataDir: setting.path("./data", "directory of the data; one engine per directory"),
  /** Under the name that the all-in-one gives it, so that a refusal reads the same. */
  engineAddress: setting.address({ host: "127.0.0.1", port: 8123 }, "address of ClickHouse's HTTP interface, on loopback"),
  memoryMax: setting.bytes(750 * MIB, "memory the engine may allocate; statements past it fail"),
  bodyMax: setting.bytes(256 * MIB, "largest request body, as sent and as unpacked"),
};

/** Past this a stop is not waited for: statements that cannot be killed must not hold the directory. */
const STOP_MS = 10_000;

async function main(): Promise<void> {
  const config = readConfig(SETTINGS, { argv: process.argv.slice(2), env: {} });
  if (!/^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/.test(config.engineAddress.host)) {
    throw new Error(
      `--engine-address: given ${config.engineAddress.host}, accepted is a loopback address: the engine has no access control`,
    );
  }
  const log = openLog("engine");
  const engine = new Engine(config.dataDir, { memoryBytesMax: config.memoryMax, bodyBytesMax: config.bodyMax }, log);
  const server = createEngineServer(engine, log);
  const url = urlOf(await listen(server, config.engineAddress, flagOf("engineAddress")));
  writeHolder(config.dataDir, url);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.kill(process.pid, "SIGKILL"), STOP_MS).unref();
    server.close();
    server.closeIdleConnections();
    void engine.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ reason: messageOf(error) }, "the engine did not close");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  // Ctrl-C reaches the whole group: under a supervisor the engine goes on until the parts that need it have stopped.
  process.on("SIGINT", process.send === undefined ? stop : () => undefined);
  if (process.send !== undefined) {
    process.on("disconnect", stop);
    process.send({ ready: url });
  }
  log.info({ url, version: engine.version }, "the engine is ready");
}

main().catch((error: unknown) => {
  const help = process.send === undefined ? `\n\naccepted flags:\n${describeSettings(SETTINGS)}` : "";
  process.stderr.write(`${messageOf(error)}${help}\n`);
  process.exitCode = 1;
  // The engine's threads would keep the process.
  process.exit();
});
