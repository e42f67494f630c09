import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EdgeSpans } from "./count-edges.ts";
import { CountedSenders } from "./counted-senders.ts";

const [CLIENT, PRODUCER] = [3, 4];

interface Row {
  readonly id: number;
  readonly startMs: number;
  readonly kind?: number;
  readonly isOld?: boolean;
}

function spansOf(rows: readonly Row[]): EdgeSpans {
  return {
    count: rows.length,
    ids: Uint32Array.from(rows.flatMap(({ id }) => [id, 1])),
    parents: new Uint32Array(rows.length * 2),
    traceIds: new Uint8Array(rows.length * 16),
    services: ["a"],
    service: new Uint32Array(rows.length),
    kind: Uint8Array.from(rows, ({ kind = PRODUCER }) => kind),
    status: new Uint8Array(rows.length),
    startMs: Float64Array.from(rows, ({ startMs }) => startMs),
    durationNano: new Float64Array(rows.length),
    bucket: new Uint16Array(rows.length),
    peerTexts: [""],
    peer: new Uint32Array(rows.length),
    isFresh: Uint8Array.from(rows, ({ isOld }) => (isOld === true ? 0 : 1)),
    isWanted: new Uint8Array(rows.length).fill(1),
    linkEnds: new Uint32Array(rows.length),
    linkedIds: new Uint32Array(0),
    linkedTraceIds: new Uint8Array(0),
  };
}

const step = (after: bigint): { after: bigint; from: Map<number, bigint> } => ({ after, from: new Map([[0, after * 100n]]) });
const idOf = (half: number): bigint => (1n << 32n) | BigInt(half);
const ALWAYS = [{ from: 0n, to: 10n ** 18n }];

describe("senders that were counted", () => {
  it("are found with the time of their steps, and nothing else is", () => {
    const senders = new CountedSenders();
    senders.add(
      step(0n),
      spansOf([
        { id: 5, startMs: 20 },
        { id: 3, startMs: 10 },
        { id: 4, startMs: 10, kind: CLIENT },
        { id: 6, startMs: 10, isOld: true },
      ]),
    );
    const { ids, stretches } = senders.locate([3, 4, 5, 6, 7].map(idOf), ALWAYS);
    assert.deepEqual([[...ids], stretches], [[idOf(3), idOf(5)], [{ from: 10_000_000n, to: 21_000_000n }]]);
    const before = senders.locate([idOf(3)], [{ from: 0n, to: 12_000_000n }]);
    assert.deepEqual(before.stretches, [{ from: 10_000_000n, to: 12_000_000n }]);
    assert.equal(senders.locate([idOf(3)], [{ from: 0n, to: 10_000_000n }]).ids.size, 0);
  });

  it("are known from the first step that was seen on, over steps of few and of none", () => {
    const senders = new CountedSenders();
    assert.equal(senders.knownFrom(0n), null);
    senders.add(step(7n), spansOf([]));
    senders.add(step(8n), spansOf([{ id: 1, startMs: 50 }]));
    senders.add(step(9n), spansOf([{ id: 2, startMs: 40 }]));
    assert.deepEqual(senders.knownFrom(10n), new Map([[0, 700n]]));
    const { ids, stretches } = senders.locate([1, 2].map(idOf), ALWAYS);
    assert.deepEqual([ids.size, stretches], [2, [{ from: 40_000_000n, to: 51_000_000n }]]);
  });

  it("are forgotten once another builder has taken a step", () => {
    const senders = new CountedSenders();
    senders.add(step(0n), spansOf([{ id: 1, startMs: 1 }]));
    assert.equal(senders.knownFrom(2n), null);
    senders.add(step(2n), spansOf([{ id: 2, startMs: 1 }]));
    assert.deepEqual(senders.knownFrom(3n), new Map([[0, 200n]]));
    assert.deepEqual([...senders.locate([1, 2].map(idOf), ALWAYS).ids], [idOf(2)]);
  });

  it("are forgotten from the oldest on where they are too many", () => {
    const senders = new CountedSenders(70_000);
    const many = (from: number): EdgeSpans =>
      spansOf(Array.from({ length: 40_000 }, (_, at) => ({ id: from + at, startMs: from })));
    senders.add(step(0n), many(0));
    senders.add(step(1n), many(100_000));
    assert.deepEqual(senders.knownFrom(2n), new Map([[0, 100n]]));
    assert.deepEqual([...senders.locate([5, 100_005].map(idOf), ALWAYS).ids], [idOf(100_005)]);
  });
});
