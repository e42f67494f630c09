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
export interface SpanLogFixture {
  readonly partitionCount: number;
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
  readonly wanted: Map<number, bigint>;
  idleCount = 0;
  onDeliver: (records: readonly LogRecord[]) => Promise<void> = async () => {};

  constructor(wanted: ReadonlyMap<number, bigint> = new Map()) {
    this.wanted = new Map(wanted);
  }

  async assign(partition: number): Promise<bigint> {
    this.assigned.push(partition);
    return this.wanted.get(partition) ?? 0n;
  }

  async deliver(partition: number, records: readonly LogRecord[]): Promise<void> {
    await this.onDeliver(records);
    for (const record of records) {
      assert.equal(record.partition, partition);
      this.records.push({ partition, offset: record.offset, text: Buffer.from(record.value).toString() });
      this.wanted.set(partition, record.offset + 1n);
    }
  }

  idle(): void {
    this.idleCount += 1;
  }

  async revoke(partition: number): Promise<void> {
    this.revoked.push(partition);
  }

  /** The requests: a log may join small ones to one record, in their order. */
  get texts(): string[] {
    return this.records.flatMap((record) => record.text.split(END).slice(0, -1));
  }
}

/** What one request ends with. */
const END = ";";

/** Resolves once the condition holds; the test runner's own limit ends a wait that never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

function bytes(text: string): Uint8Array {
  return Buffer.from(`${text}${END}`);
}

/** One past the last of these records, by partition. */
function endsOf(records: readonly { partition: number; offset: bigint }[]): Map<number, bigint> {
  return new Map(records.map(({ partition, offset }) => [partition, offset + 1n]));
}

function numbered(count: number, prefix = "record"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
}

/** Registers the suite's tests; `skip` says why they cannot run here. */
export function testSpanLog(name: string, makeFixture: () => Promise<SpanLogFixture>, skip: string | false = false): void {
  const withLog = (title: string, run: (log: SpanLog, fixture: SpanLogFixture) => Promise<SpanLog | void>): void => {
    test(`${name}: ${title}`, { timeout: 120_000, skip }, async () => {
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

  /** In one partition the order is that of appending; between partitions there is none. */
  const assertTexts = (actual: readonly string[], expected: readonly string[], { partitionCount }: SpanLogFixture): void => {
    if (partitionCount === 1) assert.deepEqual(actual, expected);
    else assert.deepEqual(actual.toSorted(), expected.toSorted());
  };

  withLog("delivers what was appended, in rising offsets", async (log) => {
    const texts = numbered(200);
    await Promise.all(texts.map((text) => log.append(bytes(text))));
    const consumer = new RecordingConsumer();
    await consuming(log, consumer, () => until(() => consumer.texts.length >= texts.length));
    assert.deepEqual(consumer.texts.toSorted(), texts.toSorted());
    for (const partition of new Set(consumer.assigned)) {
      const offsets = consumer.records.filter((record) => record.partition === partition).map((record) => record.offset);
      for (const [index, offset] of offsets.entries()) assert.ok(index === 0 || offset > (offsets[index - 1] ?? offset));
    }
  });

  withLog("delivers records that are appended while it is consumed, and says when it is idle", async (log, fixture) => {
    const consumer = new RecordingConsumer();
    await consuming(log, consumer, async () => {
      await until(() => consumer.idleCount > 0);
      for (const text of numbered(20)) await log.append(bytes(text));
      await until(() => consumer.records.length >= 20);
      const { idleCount } = consumer;
      await until(() => consumer.idleCount > 0 && consumer.idleCount >= idleCount);
    });
    assertTexts(consumer.texts, numbered(20), fixture);
  });

  withLog("keeps what was acknowledged over a stop, and goes on behind it", async (log, fixture) => {
    for (const text of numbered(50, "first")) await log.append(bytes(text));
    await log.stop();
    const again = await fixture.open();
    for (const text of numbered(50, "second")) await again.append(bytes(text));
    const consumer = new RecordingConsumer();
    await consuming(again, consumer, () => until(() => consumer.records.length >= 100));
    assertTexts(consumer.texts, [...numbered(50, "first"), ...numbered(50, "second")], fixture);
    return again;
  });

  withLog("starts at the offset that assign asks for", async (log, fixture) => {
    for (const text of numbered(30)) await log.append(bytes(text));
    const all = new RecordingConsumer();
    await consuming(log, all, () => until(() => all.records.length >= 30));
    const rest = new RecordingConsumer(endsOf(all.records.slice(0, 20)));
    await consuming(log, rest, () => until(() => rest.records.length >= 10));
    assertTexts(rest.texts, all.texts.slice(20), fixture);
  });

  withLog("asks again and repeats from there when a delivery is rejected", async (log, fixture) => {
    const consumer = new RecordingConsumer();
    let failures = 2;
    consumer.onDeliver = async () => {
      if (failures-- > 0) throw new Error("the database is away");
    };
    for (const text of numbered(10)) await log.append(bytes(text));
    await consuming(log, consumer, () => until(() => consumer.records.length >= 10));
    assertTexts(consumer.texts, numbered(10), fixture);
    assert.equal(consumer.assigned.length, fixture.partitionCount + 2);
  });

  withLog("delivers no more of a partition until the consumer has taken what it was given", async (log, fixture) => {
    const consumer = new RecordingConsumer();
    const busy = new Set<number>();
    let overlaps = 0;
    consumer.onDeliver = async (records) => {
      const partition = records[0]?.partition ?? 0;
      if (busy.has(partition)) overlaps += 1;
      busy.add(partition);
      await sleep(1);
      busy.delete(partition);
    };
    await consuming(log, consumer, async () => {
      for (const text of numbered(100)) await log.append(bytes(text));
      await until(() => consumer.records.length >= 100);
    });
    assert.equal(overlaps, 0);
    assertTexts(consumer.texts, numbered(100), fixture);
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
    const ends = endsOf(consumer.records.slice(0, 20));
    for (const [partition, end] of ends) await log.release({ partition, offset: end - 1n });
    await log.stop();
    const again = await fixture.open();
    const rest = new RecordingConsumer(ends);
    await consuming(again, rest, () => until(() => rest.records.length >= 20));
    assertTexts(rest.texts, consumer.texts.slice(20), fixture);
    return again;
  });

  withLog("refuses to append once it was stopped", async (log, fixture) => {
    await log.stop();
    await assert.rejects(log.append(bytes("late")), { name: "Failure", code: "unavailable" });
    return fixture.open();
  });

  withLog("holds no memory of a request once it is acknowledged", async (log, fixture) => {
    const texts = numbered(20, "lent");
    const lent = texts.map(bytes);
    await Promise.all(lent.map((request) => log.append(request)));
    for (const request of lent) request.fill(0);
    const consumer = new RecordingConsumer();
    await consuming(log, consumer, () => until(() => consumer.texts.length >= texts.length));
    assertTexts(consumer.texts, texts, fixture);
  });
}
