/**
 * The engine killed at every system call of one insert that changes what is on the disk (strace kills it as it enters the n-th such
 * call). Kills at random moments miss the narrow gaps between two of them. After each, the block is there whole or not at all, and the
 * writer's way on (read the high-water mark, insert what is missing) leaves it there once.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { insertSpans, readNextOffset } from "@callchain/schemas/clickhouse/insert-spans.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { clickHouseIsForeign, startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";
import { makeTempDir, PATIENCE_MS, removeDir, until } from "../support/process.ts";
import { Dice } from "./dice.ts";
import { encodeSpans } from "./ledger.ts";

const IS_FULL = process.env["CALLCHAIN_FAULT_FORM"] === "full";
const SHORT_POINTS = 3;
/** Calls that change a file or a directory; opening is in between and changes nothing that a part consists of. */
const CALLS = [
  "mkdir",
  "mkdirat",
  "write",
  "pwrite64",
  "fsync",
  "fdatasync",
  "rename",
  "renameat2",
  "link",
  "unlink",
  "ftruncate",
];
const SPANS = 200;
const RUN = "crash-points";
/** Whether strace is there and may hold a process that it did not start itself. */
const canTrace = spawnSync("sh", ["-c", 'sleep 1 & sh -c "strace -o /dev/null -p $!; exit \\$?"; exit $?']).status === 0;
const skip = canTrace
  ? clickHouseIsForeign()
  : "no strace that may trace, so the engine is not killed at each of its system calls";
const logger = openLog("test", "silent");
const timeout = 4 * 3_600_000;

interface CrashPoint {
  readonly call: string;
  /** Counted in each thread of the engine. */
  readonly nth: number;
}

let dir: string;
before(() => {
  dir = makeTempDir();
});
after(() => removeDir(dir));

async function withEngine<T>(run: (engine: TestClickHouse, database: SpanDatabase) => Promise<T>): Promise<T> {
  const engine = await startClickHouse(join(dir, "engine"));
  const database = engine.open("writer");
  try {
    return await run(engine, database);
  } finally {
    await database.close();
    await engine.stop();
  }
}

/** Resolves when strace holds every thread of the process. */
async function attach(pid: number, args: readonly string[]): Promise<ChildProcess> {
  const strace = spawn("strace", ["-f", "-p", String(pid), "-o", join(dir, "calls"), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  strace.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
  await until("strace is attached", () => {
    assert.equal(strace.exitCode, null, said);
    return / attached/.test(said);
  });
  return strace;
}

/** SIGKILL: asked politely, strace waits for ever for a process whose threads it must itself let go of. */
async function end(strace: ChildProcess): Promise<void> {
  const exited = once(strace, "exit");
  if (strace.exitCode === null && strace.signalCode === null && strace.kill("SIGKILL")) await exited;
}

async function insertBlock(database: SpanDatabase, offset: bigint): Promise<void> {
  const block = new SpanBlock();
  const first = Number(offset) * SPANS;
  const numbers = Array.from({ length: SPANS }, (_, index) => first + index);
  block.append({ partition: 0, offset, value: encodeSpans(RUN, numbers) });
  const body = block.encode(Math.floor(Date.now() / 86_400_000));
  await insertSpans(database, { partition: 0, expectedNext: offset, body, queryId: RUN, timeoutMs: PATIENCE_MS });
}

async function countOf(database: SpanDatabase, offset: bigint): Promise<{ all: number; distinct: number }> {
  const { rows } = await database.query<{ all: string; distinct: string }>(
    "SELECT count() AS all, uniqExact(span_id) AS distinct FROM spans WHERE log_offset = {offset:UInt64}",
    { params: { offset: offset.toString() } },
  );
  return { all: Number(rows[0]?.all), distinct: Number(rows[0]?.distinct) };
}

/** Every call that one insert makes, by the thread that made most of its kind. */
function findPoints(): Promise<CrashPoint[]> {
  return withEngine(async (engine, database) => {
    await migrate(database, logger, { database: engine.database });
    await insertBlock(database, 0n);
    const strace = await attach(engine.pid ?? 0, ["-e", `trace=${CALLS.join(",")}`]);
    await insertBlock(database, 1n);
    await end(strace);
    const counts = new Map<string, number>();
    for (const line of readFileSync(join(dir, "calls"), "utf8").split("\n")) {
      const [, thread, call] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
      if (thread !== undefined && call !== undefined) counts.set(`${thread} ${call}`, (counts.get(`${thread} ${call}`) ?? 0) + 1);
    }
    return CALLS.flatMap((call) => {
      const most = Math.max(0, ...[...counts].filter(([key]) => key.endsWith(` ${call}`)).map(([, count]) => count));
      return Array.from({ length: most }, (_, index) => ({ call, nth: index + 1 }));
    });
  });
}

/** One insert with the engine killed in it. Says whether the point was reached: threads share their work anew each time. */
function crashAt({ call, nth }: CrashPoint): Promise<boolean> {
  return withEngine(async (engine, database) => {
    const next = await readNextOffset(database, 0);
    const { pid } = engine;
    const strace = await attach(pid ?? 0, ["-e", `trace=${call}`, "-e", `inject=${call}:signal=SIGKILL:when=${nth}`]);
    const failure = await insertBlock(database, next).then(
      () => null,
      (error: unknown) => messageOf(error),
    );
    await end(strace);
    await until("the engine answers again", () =>
      database.ping().then(
        () => true,
        () => false,
      ),
    );
    const isKilled = engine.pid !== pid;
    if (failure !== null) assert.ok(isKilled, failure);
    const where = `killed at ${call} ${nth}`;
    const stored = await readNextOffset(database, 0);
    assert.ok(stored === next || stored === next + 1n, `${where}: the high-water mark went from ${next} to ${stored}`);
    const expected = { all: SPANS, distinct: SPANS };
    assert.deepEqual(await countOf(database, next), stored === next ? { all: 0, distinct: 0 } : expected, where);
    if (failure === null) assert.equal(stored, next + 1n, `${where}: the insert was acknowledged`);
    if (stored === next) await insertBlock(database, next);
    assert.deepEqual(await countOf(database, next), expected, `${where}, and gone on`);
    return isKilled;
  });
}

test(
  `the engine killed at ${IS_FULL ? "every" : "some"} system call of an insert: the block is there whole, once`,
  { timeout, skip },
  async (t) => {
    const dice = new Dice(randomInt(2 ** 31));
    t.diagnostic(`seed ${dice.seed}`);
    const all = await findPoints();
    const points = IS_FULL ? all : dice.shuffle(all).slice(0, SHORT_POINTS);
    const reached: CrashPoint[] = [];
    for (const point of points) if (await crashAt(point)) reached.push(point);
    const text = (list: readonly CrashPoint[]): string => list.map(({ call, nth }) => `${call} ${nth}`).join(", ");
    t.diagnostic(`${all.length} calls of one insert; killed at ${reached.length} of ${points.length}: ${text(reached)}`);
    t.diagnostic(`not reached: ${text(points.filter((point) => !reached.includes(point)))}`);
    assert.ok(reached.length * 2 >= points.length, "most points are reached");
  },
);
