import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EdgeSpans } from "./count-edges.ts";
import { CountedSenders, beforeOf } from "./counted-senders.ts";
import type { Stretch } from "./scope.ts";

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

const idOf = (half: number): bigint => (1n << 32n) | BigInt(half);
const stretch = (from: bigint, to: bigint): Stretch => ({ from, to });
const ALWAYS = [stretch(0n, 10n ** 18n)];

describe("senders that were counted", () => {
  it("are found with the time of their steps, and nothing else is", () => {
    const senders = new CountedSenders();
    senders.begin(7n, 0n, [{ halves: Uint32Array.of(1, 9), stretch: stretch(0n, 5n) }]);
    senders.add(
      7n,
      spansOf([
        { id: 5, startMs: 20 },
        { id: 3, startMs: 10 },
        { id: 4, startMs: 10, kind: CLIENT },
        { id: 6, startMs: 10, isOld: true },
      ]),
    );
    const { ids, stretches } = senders.locate([3, 4, 5, 6, 7, 9].map(idOf), ALWAYS);
    assert.deepEqual([...ids], [3, 5, 9].map(idOf));
    assert.deepEqual(stretches, [stretch(0n, 21_000_000n)], "steps of few are kept together");
    assert.deepEqual(senders.locate([idOf(3)], [stretch(0n, 12_000_000n)]).stretches, [stretch(0n, 12_000_000n)]);
    assert.equal(senders.locate([idOf(3)], [stretch(30_000_000n, 40_000_000n)]).ids.size, 0);
  });

  it("are not remembered before that is wanted, nor once another builder has taken a step", () => {
    const senders = new CountedSenders();
    senders.add(0n, spansOf([{ id: 1, startMs: 1 }]));
    assert.equal(senders.knownSince(1n), null);
    senders.begin(1n, 100n, []);
    assert.equal(senders.knownSince(1n), 100n);
    senders.add(1n, spansOf([]));
    senders.add(2n, spansOf([{ id: 2, startMs: 1 }]));
    assert.equal(senders.knownSince(3n), 100n);
    assert.equal(senders.knownSince(4n), null);
    senders.add(4n, spansOf([{ id: 3, startMs: 1 }]));
    assert.equal(senders.knownSince(5n), null);
  });

  it("are forgotten from the oldest on where they are too many, and it is known since when", () => {
    const senders = new CountedSenders(70_000);
    const many = (from: number): EdgeSpans =>
      spansOf(Array.from({ length: 40_000 }, (_, at) => ({ id: from + at, startMs: from })));
    senders.begin(0n, 0n, []);
    senders.add(0n, many(0));
    assert.equal(senders.knownSince(1n), 0n);
    senders.add(1n, many(100_000));
    assert.equal(senders.knownSince(2n), 1_000_000n);
    assert.deepEqual([...senders.locate([5, 100_005].map(idOf), ALWAYS).ids], [idOf(100_005)]);
    assert.deepEqual(beforeOf([stretch(0n, 5n), stretch(7n, 9n)], 8n), [stretch(0n, 5n), stretch(7n, 8n)]);
  });
});
