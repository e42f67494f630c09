/** The engine's process: crashes, restarts, one per directory, the end of its parent. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@clickhouse/client";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from "./supervisor.ts";

const log = openLog("test", "silent");
let dir: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "callchain-engine-process-"));
});

after(async () => {
  await rm(dir, { recursive: true });
});

function start(name: string): Promise<EmbeddedClickHouse> {
  return startEmbeddedClickHouse({ dataDir: join(dir, name), address: { host: "127.0.0.1", port: 0 }, log });
}

async function ask(url: string, sql: string): Promise<string> {
  const answer = await fetch(url, { method: "POST", body: sql });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return text.trim();
}

function kill(engine: EmbeddedClickHouse): void {
  assert.ok(engine.pid !== null);
  process.kill(engine.pid, "SIGKILL");
}

test("a statement that is too long is refused, and its connection serves the next one", async () => {
  const engine = await start("long");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const post = async (sql: string): Promise<{ text: string; socket: unknown }> => {
    const sent = request(engine.url, { method: "POST", agent, timeout: 20_000 });
    sent.on("timeout", () => sent.destroy(new Error("no answer after 20 s")));
    sent.end(sql);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    const pieces: Uint8Array[] = [];
    for await (const piece of answer) pieces.push(piece as Uint8Array);
    return { text: Buffer.concat(pieces).toString(), socket: sent.socket };
  };
  try {
    const first = await post(`SELECT 1 -- ${"x".repeat(3 * 1024 * 1024)}`);
    assert.match(first.text, /Code: 62.*too large|longer than 1048576 bytes/s);
    const second = await post("SELECT 2");
    assert.equal(second.text.trim(), "2");
    assert.equal(second.socket, first.socket);
  } finally {
    agent.destroy();
    await engine.stop();
  }
});

test("after kill -9 the engine is back at the same address with every acknowledged row", async () => {
  const engine = await start("crash");
  const client = createClient({ url: engine.url, log: { level: 127 } });
  try {
    await client.command({ query: "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a" });
    let acknowledged = 0;
    for (let round = 1; round <= 3; round += 1) {
      const url = engine.url;
      const writing = (async () => {
        while (true) {
          await client.insert({
            table: "t",
            values: Array.from({ length: 100 }, (_, i) => ({ a: acknowledged + i })),
            format: "JSONEachRow",
          });
          acknowledged += 100;
        }
      })();
      const cut = assert.rejects(writing);
      const isFarEnough = (): boolean => acknowledged >= round * 1000;
      while (!isFarEnough()) await delay(5);
      kill(engine);
      await cut;
      while (!(engine.isReady && engine.restartCount === round)) await delay(20);
      assert.equal(engine.url, url);
      // An insert that was cut off may be there or not; what was acknowledged must be.
      assert.equal(await ask(engine.url, `SELECT uniqExact(a) FROM t WHERE a < ${acknowledged}`), String(acknowledged));
      await client.command({ query: `DELETE FROM t WHERE a >= ${acknowledged}` });
    }
  } finally {
    await client.close();
    await engine.stop();
  }
});

test("a directory has one engine: a second is told who has it", async () => {
  const engine = await start("held");
  try {
    await assert.rejects(start("held"), (error: Error) => {
      assert.match(error.message, new RegExp(`in use by process ${engine.pid}, which serves it at ${engine.url}`));
      return true;
    });
    assert.equal(await ask(engine.url, "SELECT 1"), "1");
  } finally {
    await engine.stop();
  }
  const next = await start("held");
  await next.stop();
});

test("what a crash left of requests is removed at the next start", async () => {
  const spool = join(dir, "left", "engine", "spool");
  await (await start("left")).stop();
  await writeFile(join(spool, "body-7"), "rest");
  const engine = await start("left");
  assert.deepEqual(await readdir(spool), []);
  await engine.stop();
});

test("an address that is not loopback is refused", async () => {
  await assert.rejects(
    startEmbeddedClickHouse({ dataDir: join(dir, "open"), address: { host: "0.0.0.0", port: 0 }, log }),
    /accepted is a loopback address/,
  );
});

test("the engine ends with its parent, however that ended, and gives the directory back", async () => {
  const parent = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { startEmbeddedClickHouse } from ${JSON.stringify(new URL("supervisor.ts", import.meta.url).href)};
       import { openLog } from "@callchain/schemas/runtime/log.ts";
       const engine = await startEmbeddedClickHouse({
         dataDir: ${JSON.stringify(join(dir, "orphan"))}, address: { host: "127.0.0.1", port: 0 }, log: openLog("test", "silent"),
       });
       fetch(engine.url, { method: "POST", body: "SELECT sum(number) FROM numbers(1000000000000)" });
       process.stdout.write(String(engine.pid));
       setInterval(() => {}, 1000);`,
    ],
    { stdio: ["ignore", "pipe", "ignore"], cwd: import.meta.dirname },
  );
  const [said] = (await once(parent.stdout, "data")) as [Buffer]; // a data event carries one chunk
  const enginePid = Number(said.toString());
  parent.kill("SIGKILL");
  const isRunning = (): boolean => {
    try {
      process.kill(enginePid, 0);
      return true;
    } catch {
      return false;
    }
  };
  while (isRunning()) await delay(20);
  const engine = await start("orphan");
  await engine.stop();
});
