/**
 * What every SpanLog promises (schemas/span/ports.ts), as one suite over a factory: run against the local log, and against Kafka.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { LogConsumer, LogRecord, SpanLogAppender, SpanLogReader } from "@callchain/schemas/span/ports.ts";

type SpanLog = SpanLogAppender & SpanLogReader & Running;

/** One empty log that can be opened again with what it holds. */
interface SpanLogFixture {
  /** Only one is open at a time. */
  open(): Promise<SpanLog>;
  /** Removes everything. */
  remove(): Promise<void>;
}

/** A consumer that keeps what it was given, and can be told to fail or to take its time. */
class RecordingConsumer implements LogConsumer {
  readonly records: { partition: number; offset: bigint; text: string }[] = [];
  readonly assigned: number[] = [];
  readonly revoked: number[] = [];
  idleCount = 0;
  wanted: bigint;
  onDeliver: (records: readonly LogRecord[]) => Promise<void> = async () => {};

  constructor(wanted = 0n) {
    this.wanted = wanted;
  }

  async assign(partition: number): Promise<bigint> {
    this.assigned.push(partition);
    return this.wanted;
  }

  async deliver(partition: number, records: readonly LogRecord[]): Promise<void> {
    await this.onDeliver(records);
    for (const record of records) {
      assert.equal(record.partition, partition);
      this.records.push({ partition, offset: record.offset, text: Buffer.from(record.value).toString() });
      this.wanted = record.offset + 1n;
    }
  }

  idle(): void {
    this.idleCount += 1;
  }

  async revoke(partition: number): Promise<void> {
    this.revoked.push(partition);
  }

  get texts(): string[] {
    return this.records.map((record) => record.text);
  }
}

/** Resolves once the condition holds; the test runner's own limit ends a wait that never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

function numbered(count: number, prefix = "record"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
}

/** Registers the suite's tests. */
export function testSpanLog(name: string, makeFixture: () => Promise<SpanLogFixture>): void {
  const withLog = (title: string, run: (log: SpanLog, fixture: SpanLogFixture) => Promise<SpanLog | void>): void => {
    test(`${name}: ${title}`, { timeout: 30_000 }, async () => {
      const fixture = await makeFixture();
      const first = await fixture.open();
      let last: SpanLog = first;
      try {
        last = (await run(first, fixture)) ?? first;
      } finally {
        await last.stop();
        await fixture.remove();
      }
    });
  };

  const consuming = async (log: SpanLog, consumer: LogConsumer, run: () => Promise<void>): Promise<void> => {
    const end = new AbortController();
    const consumed = log.consume(consumer, end.signal);
    try {
      await run();
    } finally {
      end.abort();
      await consumed;
    }
  };

  withLog("delivers what was appended, in rising offsets", async (log) => {
    const texts = numbered(200);
    await Promise.all(texts.map((text) => log.append(bytes(text))));
    const consumer = new RecordingConsumer();
    await consuming(log, consumer, () => until(() => consumer.records.length >= texts.length));
    assert.deepEqual([...consumer.texts].sort(), [...texts].sort());
    for (const partition of new Set(consumer.assigned)) {
      const offsets = consumer.records.filter((record) => record.partition === partition).map((record) => record.offset);
      for (const [index, offset] of offsets.entries()) assert.ok(index === 0 || offset > (offsets[index - 1] ?? offset));
    }
  });

  withLog("delivers records that are appended while it is consumed, and says when it is idle", async (log) => {
    const consumer = new RecordingConsumer();
    await consuming(log, consumer, async () => {
      await until(() => consumer.idleCount > 0);
      for (const text of numbered(20)) await log.append(bytes(text));
      await until(() => consumer.records.length >= 20);
      const { idleCount } = consumer;
      await until(() => consumer.idleCount > 0 && consumer.idleCount >= idleCount);
    });
    assert.deepEqual(consumer.texts, numbered(20));
  });

  withLog("keeps what was acknowledged over a stop, and goes on behind it", async (log, fixture) => {
    for (const text of numbered(50, "first")) await log.append(bytes(text));
    await log.stop();
    const again = await fixture.open();
    for (const text of numbered(50, "second")) await again.append(bytes(text));
    const consumer = new RecordingConsumer();
    await consuming(again, consumer, () => until(() => consumer.records.length >= 100));
    assert.deepEqual(consumer.texts, [...numbered(50, "first"), ...numbered(50, "second")]);
    return again;
  });

  withLog("starts at the offset that assign asks for", async (log) => {
    for (const text of numbered(30)) await log.append(bytes(text));
    const all = new RecordingConsumer();
    await consuming(log, all, () => until(() => all.records.length >= 30));
    const from = all.records[20]?.offset ?? 0n;
    const rest = new RecordingConsumer(from);
    await consuming(log, rest, () => until(() => rest.records.length >= 10));
    assert.deepEqual(rest.texts, numbered(30).slice(20));
  });

  withLog("asks again and repeats from there when a delivery is rejected", async (log) => {
    const consumer = new RecordingConsumer();
    let failures = 2;
    consumer.onDeliver = async () => {
      if (failures-- > 0) throw new Error("the database is away");
    };
    for (const text of numbered(10)) await log.append(bytes(text));
    await consuming(log, consumer, () => until(() => consumer.records.length >= 10));
    assert.deepEqual(consumer.texts, numbered(10));
    assert.equal(consumer.assigned.length, 3);
  });

  withLog("delivers no more of a partition until the consumer has taken what it was given", async (log) => {
    const consumer = new RecordingConsumer();
    let busy = false;
    consumer.onDeliver = async () => {
      assert.equal(busy, false);
      busy = true;
      await sleep(1);
      busy = false;
    };
    await consuming(log, consumer, async () => {
      for (const text of numbered(100)) await log.append(bytes(text));
      await until(() => consumer.records.length >= 100);
    });
    assert.deepEqual(consumer.texts, numbered(100));
  });

  withLog("revokes every partition at the end, also while a delivery never settles", async (log) => {
    const consumer = new RecordingConsumer();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    consumer.onDeliver = () => {
      start();
      return new Promise<void>(() => {});
    };
    await log.append(bytes("record"));
    await consuming(log, consumer, () => started);
    assert.deepEqual(new Set(consumer.revoked), new Set(consumer.assigned));
    assert.ok(consumer.revoked.length > 0);
  });

  withLog("still delivers what was not released after a release", async (log, fixture) => {
    for (const text of numbered(40)) await log.append(bytes(text));
    const consumer = new RecordingConsumer();
    await consuming(log, consumer, () => until(() => consumer.records.length >= 40));
    const position = consumer.records[19];
    assert.ok(position !== undefined);
    await log.release({ partition: position.partition, offset: position.offset });
    await log.stop();
    const again = await fixture.open();
    const rest = new RecordingConsumer(position.offset + 1n);
    await consuming(again, rest, () => until(() => rest.records.length >= 20));
    assert.deepEqual(rest.texts, numbered(40).slice(20));
    return again;
  });

  withLog("refuses to append once it was stopped", async (log, fixture) => {
    await log.stop();
    await assert.rejects(log.append(bytes("late")), { name: "Failure", code: "unavailable" });
    return fixture.open();
  });
}
