/** `callchain serve`: the all-in-one. */
import { flagOf, readConfig } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { Lifecycle } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startAllInOne } from "../all-in-one/all-in-one.ts";
import { allInOneSettings } from "../all-in-one/settings.ts";
import { startDemo } from "../demo/demo.ts";
import { Progress } from "./progress.ts";
import { runUntilSignal } from "./run.ts";

export async function serveCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(allInOneSettings, sources);
  const log = openLog("callchain", config.logLevel);
  const lifecycle = new Lifecycle(log);
  const app = lifecycle.add("all-in-one", await startAllInOne(config, log));
  process.stdout.write(
    [
      "Callchain is ready.",
      "",
      `  Open      ${app.queryUrl}`,
      `  Send to   OTEL_EXPORTER_OTLP_ENDPOINT=${app.otlpHttpUrl}   (http/protobuf, http/json)`,
      `            OTEL_EXPORTER_OTLP_ENDPOINT=${app.otlpGrpcUrl}   (grpc)`,
      `  SQL       ${app.engineUrl}   (ClickHouse HTTP)`,
      `  Data in   ${config.dataDir}`,
      ...(config.demo ? [] : ["", `  No services yet? Start with ${flagOf("demo")} to see a shop of 13 of them.`]),
      "",
    ].join("\n"),
  );
  if (config.demo) {
    const progress = new Progress("demo: the past two hours of the shop", "traces");
    lifecycle.add(
      "demo",
      await startDemo({
        endpoint: app.otlpHttpUrl,
        tracesPerSecond: 5,
        backfillMinutes: 120,
        seed: 1,
        log: log.child({ part: "demo" }),
        onProgress: ({ done, total }) => progress.update(done, total),
      }),
    );
  }
  await runUntilSignal(lifecycle);
}
