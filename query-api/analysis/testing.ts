/** Named defaults from which the tests of this folder build traces. */
import * as fc from "fast-check";
import { KIND, type SpanColumns } from "./columns.ts";

export interface TestSpan {
  readonly id: number;
  readonly parent: number;
  readonly start: number;
  readonly duration: number;
  readonly service: string;
  readonly name: string;
  readonly host: string;
  readonly kind: number;
  readonly status: number;
}

export const SECOND_ONE = 1_769_860_800_000_000_000n;

/** A span with defaults; ids are small numbers, parent 0 is none, start is nanoseconds after SECOND_ONE. */
export function span(id: number, parent: number, rest: Partial<TestSpan> = {}): TestSpan {
  return {
    id,
    parent,
    start: id,
    duration: 10,
    service: "a",
    name: `s${id}`,
    host: "h",
    kind: KIND.internal,
    status: 0,
    ...rest,
  };
}

function buildIds(ids: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * ids.length));
  ids.forEach((id, row) => view.setBigUint64(8 * row, BigInt(id)));
  return new Uint8Array(view.buffer);
}

function buildTexts(texts: readonly string[]): { indexes: Uint32Array; dictionary: string[] } {
  const numbers = new Map<string, number>();
  const indexes = Uint32Array.from(texts, (text) => {
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  });
  return { indexes, dictionary: [...numbers.keys()] };
}

export function buildColumns(spans: readonly TestSpan[]): SpanColumns {
  const service = buildTexts(spans.map((entry) => entry.service));
  const name = buildTexts(spans.map((entry) => entry.name));
  const host = buildTexts(spans.map((entry) => entry.host));
  return {
    count: spans.length,
    spanId: buildIds(spans.map(({ id }) => id)),
    parentId: buildIds(spans.map(({ parent }) => parent)),
    startNano: BigInt64Array.from(spans, ({ start }) => (start < 0 ? 0n : SECOND_ONE + BigInt(start))),
    durationNano: Float64Array.from(spans, ({ duration }) => duration),
    service: service.indexes,
    name: name.indexes,
    host: host.indexes,
    kind: Uint8Array.from(spans, ({ kind }) => kind),
    status: Uint8Array.from(spans, ({ status }) => status),
    has: new Uint8Array(spans.length),
    services: service.dictionary,
    names: name.dictionary,
    hosts: host.dictionary,
  };
}

export const anySpan: fc.Arbitrary<TestSpan> = fc.record({
  id: fc.integer({ min: 1, max: 12 }),
  parent: fc.integer({ min: 0, max: 14 }),
  start: fc.integer({ min: -1, max: 30 }),
  duration: fc.integer({ min: 0, max: 20 }),
  service: fc.constantFrom("a", "b"),
  name: fc.constantFrom("x", "y"),
  host: fc.constantFrom("", "h", "i", "j"),
  kind: fc.integer({ min: 0, max: 5 }),
  status: fc.integer({ min: 0, max: 2 }),
});
