import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as fc from "fast-check";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { LogConsumer, LogRecord } from "@callchain/schemas/span/ports.ts";
import { FRAME_BYTES, HEADER_BYTES } from "./format.ts";
import { openLocalLog, type LocalLogOptions, type LocalSpanLog } from "./local-log.ts";

const root = await mkdtemp(join(tmpdir(), "callchain-local-log-"));
after(() => rm(root, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const logger = openLog("test", "silent");
let dirCount = 0;

function newDir(): string {
  dirCount += 1;
  return join(root, String(dirCount));
}

function open(dir: string, options: Partial<LocalLogOptions> = {}): Promise<LocalSpanLog> {
  return openLocalLog({ dir, capBytes: 64 * MIB, logger, ...options });
}

async function segmentsIn(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith(".seg")).sort();
}

interface Taken {
  readonly offset: bigint;
  readonly value: Buffer;
}

/** Everything that the log delivers from `wanted` on until it is idle. */
async function takeAll(log: LocalSpanLog, wanted = 0n): Promise<Taken[]> {
  const taken: Taken[] = [];
  const end = new AbortController();
  const consumer: LogConsumer = {
    assign: async () => wanted,
    deliver: async (_partition, records: readonly LogRecord[]) => {
      for (const { offset, value } of records) taken.push({ offset, value: Buffer.from(value) });
    },
    idle: () => end.abort(),
    revoke: async () => undefined,
  };
  await log.consume(consumer, end.signal);
  return taken;
}

function textsOf(taken: readonly Taken[]): string[] {
  return taken.map(({ value }) => value.toString());
}

async function rejectsWith(promise: Promise<unknown>, code: string): Promise<Failure> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Failure, `expected a Failure, got ${String(error)}`);
  assert.equal(error.code, code);
  return error;
}

async function appendUntilRefused(log: LocalSpanLog, value: Buffer): Promise<{ count: number; refusal: Failure }> {
  for (let count = 0; ; count += 1) {
    try {
      await log.append(value);
    } catch (refusal) {
      assert.ok(refusal instanceof Failure);
      return { count, refusal };
    }
  }
}

test("a tail torn at any byte of the last record costs that record only, and the log goes on behind it", async () => {
  const whole = newDir();
  const log = await open(whole);
  for (const text of ["one", "two", "the last record"]) await log.append(Buffer.from(text));
  await log.stop();
  const [name = ""] = await segmentsIn(whole);
  const bytes = await readFile(join(whole, name));
  const lastStart = bytes.length - FRAME_BYTES - "the last record".length;
  for (let cut = lastStart; cut < bytes.length; cut += 1) {
    const dir = newDir();
    await mkdir(dir);
    await writeFile(join(dir, name), bytes.subarray(0, cut));
    const torn = await open(dir);
    await torn.append(Buffer.from("after"));
    assert.deepEqual(textsOf(await takeAll(torn)), ["one", "two", "after"], `cut at ${cut}`);
    await torn.stop();
  }
});

test("random bytes behind the last record, as a failed write leaves them, are cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (noise) => {
      const dir = newDir();
      const log = await open(dir);
      await log.append(Buffer.from("kept"));
      await log.stop();
      const [name = ""] = await segmentsIn(dir);
      const path = join(dir, name);
      await writeFile(path, Buffer.concat([await readFile(path), noise]));
      const again = await open(dir);
      assert.deepEqual(textsOf(await takeAll(again)), ["kept"]);
      await again.stop();
      assert.equal((await stat(path)).size, HEADER_BYTES + FRAME_BYTES + 4);
    }),
    { numRuns: 30 },
  );
});

test("a damaged record between good ones is reported, and the others are delivered", async () => {
  const dir = newDir();
  const log = await open(dir);
  for (const text of ["first", "second", "third"]) await log.append(Buffer.from(text));
  await log.stop();
  const [name = ""] = await segmentsIn(dir);
  const path = join(dir, name);
  const bytes = await readFile(path);
  const at = HEADER_BYTES + FRAME_BYTES + "first".length + FRAME_BYTES + 2;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x01, at);
  await writeFile(path, bytes);

  const metrics = openMetrics();
  const again = await open(dir, { metrics });
  await again.append(Buffer.from("fourth"));
  const taken = await takeAll(again);
  assert.deepEqual(textsOf(taken), ["first", "third", "fourth"]);
  assert.match(await metrics.metrics(), /callchain_log_damaged_bytes_total 30\n/);
  // Released, it is set aside instead of removed.
  await again.release({ partition: 0, offset: taken.at(-1)?.offset ?? 0n });
  await again.stop();
  assert.ok((await readdir(dir)).includes(`${name}.damaged`));
});

test("a sealed segment that was cut short is reported and the segments behind it are delivered", async () => {
  const dir = newDir();
  const log = await open(dir, { segmentBytes: 200 });
  for (let index = 0; index < 12; index += 1) await log.append(Buffer.from(`record ${String(index).padStart(2, "0")}`));
  await log.stop();
  const names = await segmentsIn(dir);
  assert.ok(names.length >= 3);
  const path = join(dir, names[1] ?? "");
  await truncate(path, (await stat(path)).size - 3);
  const again = await open(dir);
  const texts = textsOf(await takeAll(again));
  await again.stop();
  assert.equal(texts.length, 11);
  assert.equal(texts.at(-1), "record 11");
});

test("at its cap the log refuses with a retry hint, and takes records again once it was released", async () => {
  const dir = newDir();
  const log = await open(dir, { capBytes: MIB, segmentBytes: 64 * 1024 });
  const value = Buffer.alloc(30_000, 1);
  const { count, refusal } = await appendUntilRefused(log, value);
  assert.equal(refusal.code, "overloaded");
  assert.ok((refusal.retryAfterMs ?? 0) > 0);
  assert.ok(count > 25 && count < 36, String(count));
  const taken = await takeAll(log);
  assert.equal(taken.length, count);
  await log.release({ partition: 0, offset: taken.at(-1)?.offset ?? 0n });
  for (let index = 0; index < count; index += 1) await log.append(value);
  assert.ok((await segmentsIn(dir)).length <= 20);
  await rejectsWith(log.append(Buffer.alloc(2 * MIB)), "too_large");
  await log.stop();
});

test("released segments are removed and the newest stays", async () => {
  const dir = newDir();
  const log = await open(dir, { segmentBytes: 1000 });
  for (let index = 0; index < 50; index += 1) await log.append(Buffer.alloc(100));
  const before = (await segmentsIn(dir)).length;
  assert.ok(before > 5);
  const taken = await takeAll(log);
  await log.release({ partition: 0, offset: taken[25]?.offset ?? 0n });
  const between = (await segmentsIn(dir)).length;
  assert.ok(between < before && between > 1);
  await log.release({ partition: 0, offset: taken.at(-1)?.offset ?? 0n });
  assert.equal((await segmentsIn(dir)).length, 1);
  await log.stop();
});

test("a record larger than a segment and than a read is delivered whole", async () => {
  const dir = newDir();
  const log = await open(dir, { segmentBytes: 100_000 });
  const large = Buffer.alloc(9 * MIB, 7);
  await log.append(Buffer.from("before"));
  await log.append(large);
  await log.append(Buffer.from("behind"));
  const taken = await takeAll(log);
  await log.stop();
  assert.deepEqual(
    taken.map(({ value }) => value.length),
    [6, large.length, 6],
  );
  assert.ok(taken[1]?.value.equals(large));
});

test("many appends share a sync", async () => {
  const metrics = openMetrics();
  const log = await open(newDir(), { metrics });
  await Promise.all(Array.from({ length: 500 }, (_, index) => log.append(Buffer.from(`record ${index}`))));
  const text = await metrics.metrics();
  await log.stop();
  assert.match(text, /callchain_log_records_total 500\n/);
  assert.match(text, /callchain_log_batches_total [1-5]\n/);
});

test("records of a directory that was lost get offsets above those that the rows may hold", async () => {
  const dir = newDir();
  const first = await open(dir);
  await first.append(Buffer.from("stored"));
  const [stored] = await takeAll(first);
  await first.stop();
  await rm(dir, { recursive: true });
  const second = await open(dir);
  await second.append(Buffer.from("new"));
  const taken = await takeAll(second, (stored?.offset ?? 0n) + 1n);
  await second.stop();
  assert.deepEqual(textsOf(taken), ["new"]);
});

test("records of a directory that was put back from an old copy get offsets above those that the rows may hold", async () => {
  const dir = newDir();
  const copy = newDir();
  const first = await open(dir);
  await first.append(Buffer.from("in the copy"));
  const [name = ""] = await segmentsIn(dir);
  await mkdir(copy);
  await copyFile(join(dir, name), join(copy, name));
  for (let index = 0; index < 10; index += 1) await first.append(Buffer.from("behind the copy"));
  const stored = (await takeAll(first)).at(-1)?.offset ?? 0n;
  await first.stop();
  const second = await open(copy);
  await second.append(Buffer.from("new"));
  assert.deepEqual(textsOf(await takeAll(second, stored + 1n)), ["new"]);
  await second.stop();
});

test("where the clock was set back too, records appended before the rows are known are kept behind the rows", async () => {
  const dir = newDir();
  const log = await open(dir, { now: () => 1_000 });
  await log.append(Buffer.from("early 1"));
  await log.append(Buffer.from("early 2"));
  const wanted = 9_000_000_000n;
  const taken = await takeAll(log, wanted);
  assert.deepEqual(textsOf(taken), ["early 1", "early 2"]);
  assert.ok(taken.every(({ offset }) => offset >= wanted));
  await log.append(Buffer.from("late"));
  assert.deepEqual(textsOf(await takeAll(log, wanted)), ["early 1", "early 2", "late"]);
  await log.stop();
});

test("records keep their order when the reader falls behind and catches up again", async () => {
  const log = await open(newDir(), { segmentBytes: 5_000 });
  const end = new AbortController();
  const taken: number[] = [];
  let isSlow = true;
  const consumer: LogConsumer = {
    assign: async () => 0n,
    deliver: async (_partition, records) => {
      if (isSlow) await new Promise((resolve) => setTimeout(resolve, 5));
      for (const { value } of records) taken.push(Buffer.from(value).readUInt32LE(0));
    },
    idle: () => {
      if (taken.length === 2_000) end.abort();
    },
    revoke: async () => undefined,
  };
  const consumed = log.consume(consumer, end.signal);
  for (let index = 0; index < 2_000; index += 1) {
    const value = Buffer.alloc(100);
    value.writeUInt32LE(index, 0);
    void log.append(value);
    if (index % 50 === 0) await new Promise(setImmediate);
    if (index === 1_000) isSlow = false;
  }
  await consumed;
  await log.stop();
  assert.deepEqual(
    taken,
    Array.from({ length: 2_000 }, (_, index) => index),
  );
});

test("a second log on the same directory is refused, naming the process that holds it", async () => {
  const dir = newDir();
  const log = await open(dir);
  const failure = await rejectsWith(open(dir, { dirFlag: "--data-dir" }), "unavailable");
  assert.match(failure.message, new RegExp(`process ${process.pid}.*--data-dir`));
  await log.stop();
  await (await open(dir)).stop();
});

test("the log leaves free space for storing what it holds, and takes records again once there is more", async () => {
  const dir = newDir();
  const { bavail, bsize } = await statfs(root);
  const log = await open(dir, { freeBytesMin: bavail * bsize * 2 });
  const refusal = await rejectsWith(log.append(Buffer.from("too much")), "unavailable");
  assert.match(refusal.message, /is full: \d+ bytes are free/);
  assert.ok((refusal.retryAfterMs ?? 0) > 0);
  assert.equal((await takeAll(log)).length, 0);
  await log.stop();
  const again = await open(dir, { freeBytesMin: 1 });
  await again.append(Buffer.from("taken"));
  assert.deepEqual(textsOf(await takeAll(again)), ["taken"]);
  await again.stop();
});
