import assert from "node:assert/strict";
import { it } from "node:test";
import type { EdgeSpans } from "./count-edges.ts";
import { StepMemory, halvesOfTraces } from "./step-memory.ts";

const [CLIENT, PRODUCER, CONSUMER] = [3, 4, 5];

interface Row {
  readonly id: number;
  readonly trace: number;
  readonly startMs: number;
  readonly kind?: number;
  readonly links?: readonly number[];
  readonly isOld?: boolean;
}

/** Ids of traces have all that is their own in one place. */
const wordsOf = (traces: readonly number[]): Uint32Array => Uint32Array.from(traces.flatMap((trace) => [0, 0, trace, 0]));
const bytesOf = (traces: readonly number[]): Uint8Array => new Uint8Array(wordsOf(traces).buffer);

function spansOf(rows: readonly Row[]): EdgeSpans {
  const links = rows.map((row) => row.links ?? []);
  const linkEnds = links.map((_, at) => links.slice(0, at + 1).flat().length);
  return {
    count: rows.length,
    ids: Uint32Array.from(rows.flatMap(({ id }) => [id, 1])),
    parents: new Uint32Array(rows.length * 2),
    traceIds: bytesOf(rows.map(({ trace }) => trace)),
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
    linkEnds: Uint32Array.from(linkEnds),
    linkedIds: new Uint32Array(links.flat().length * 2),
    linkedTraceIds: bytesOf(links.flat()),
  };
}

it("senders, and the traces of all fresh spans and of what these link to, are remembered with their time", () => {
  const memory = new StepMemory();
  memory.senders.begin(7n, 0n, new Map());
  memory.traces.begin(7n, 0n, new Map());
  memory.add(
    7n,
    spansOf([
      { id: 5, trace: 50, startMs: 70_000 },
      { id: 4, trace: 40, startMs: 10, kind: CLIENT },
      { id: 6, trace: 60, startMs: 10, isOld: true, links: [61] },
      { id: 7, trace: 70, startMs: 12_345, kind: CONSUMER, links: [71, 72] },
      { id: 8, trace: 80, startMs: 12_346, kind: CONSUMER, links: [] },
    ]),
  );
  const ALWAYS = [{ from: 0n, to: 10n ** 18n }];
  const seconds = (from: bigint, to: bigint): unknown => ({ from: from * 1_000_000_000n, to: to * 1_000_000_000n });
  const senders = memory.senders.locate(Uint32Array.of(4, 5, 6, 7), ALWAYS);
  assert.deepEqual([[...senders.ids], senders.stretches], [[5], [seconds(60n, 120n)]]);
  const where = (...traces: number[]): unknown => memory.traces.locate(halvesOfTraces(wordsOf(traces)), ALWAYS).stretches;
  assert.deepEqual(where(50), [seconds(70n, 75n)]);
  assert.deepEqual(where(40), [seconds(0n, 5n)]);
  assert.deepEqual(where(60, 61, 99), []);
  for (const places of [where(70), where(71), where(72, 1), where(80)]) assert.deepEqual(places, [seconds(10n, 15n)]);
  memory.add(8n, null);
  assert.deepEqual([memory.senders.knownSince(9n), memory.traces.knownSince(9n)], [0n, 0n]);
});
