/** Named defaults from which the tests of this folder build traces. Rows are given in pre-order. */
import type { SkeletonChunk, SkeletonStart } from "@callchain/schemas/api/skeleton.ts";
import { SKELETON_FLAG, SKELETON_KIND_SHIFT } from "@callchain/schemas/api/skeleton.ts";
import { COMPLETE } from "@callchain/schemas/api/testing.ts";
import * as fc from "fast-check";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import type { SpanKind } from "@callchain/schemas/span/span.ts";
import { TraceModel } from "./model.ts";

export interface RowSpec {
  /** Row of the parent; -1, the default, at the top. */
  readonly parent?: number;
  readonly start?: number;
  readonly duration?: number;
  readonly service?: string;
  readonly name?: string;
  readonly kind?: SpanKind;
  readonly error?: boolean;
}

export function buildStart(rows: readonly RowSpec[]): SkeletonStart {
  const ends = rows.map((row) => (row.start ?? 0) + (row.duration ?? 0));
  const rootCount = rows.filter((row) => (row.parent ?? -1) < 0).length;
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    startNano: "1700000000000000000",
    durationNano: Math.max(0, ...ends),
    spanCount: rows.length,
    errorCount: rows.filter((row) => row.error === true).length,
    completeness: { ...COMPLETE, complete: rootCount === 1, rootCount },
    partialReason: null,
  };
}

/** Chunks of at most `chunkRows` rows, with dictionaries that grow from chunk to chunk. */
export function buildChunks(rows: readonly RowSpec[], chunkRows = Infinity): SkeletonChunk[] {
  const services = new Map<string, number>();
  const names = new Map<string, number>();
  const chunks: SkeletonChunk[] = [];
  for (let from = 0; from < rows.length; from += chunkRows) {
    const part = rows.slice(from, from + chunkRows);
    const added = { services: [] as string[], names: [] as string[] };
    const indexIn = (dictionary: Map<string, number>, list: string[], text: string): number => {
      const known = dictionary.get(text);
      if (known !== undefined) return known;
      dictionary.set(text, dictionary.size);
      list.push(text);
      return dictionary.size - 1;
    };
    const spanId = new Uint8Array(8 * part.length);
    part.forEach((_, at) => new DataView(spanId.buffer).setUint32(8 * at + 4, from + at + 1));
    chunks.push({
      rowCount: part.length,
      spanId,
      start: Float64Array.from(part, (row) => row.start ?? 0),
      duration: Float64Array.from(part, (row) => row.duration ?? 0),
      parent: Int32Array.from(part, (row) => row.parent ?? -1),
      service: Uint32Array.from(part, (row) => indexIn(services, added.services, row.service ?? "shop")),
      name: Uint32Array.from(part, (row, at) => indexIn(names, added.names, row.name ?? `span ${from + at}`)),
      flags: Uint8Array.from(
        part,
        (row) =>
          (row.error === true ? SKELETON_FLAG.error : 0) | (SPAN_KINDS.indexOf(row.kind ?? "internal") << SKELETON_KIND_SHIFT),
      ),
      ...added,
    });
  }
  return chunks;
}

export function buildModel(rows: readonly RowSpec[], chunkRows = Infinity): TraceModel {
  const model = new TraceModel(buildStart(rows));
  for (const chunk of buildChunks(rows, chunkRows)) model.append(chunk);
  return model;
}

/** Any tree in pre-order: each row hangs under the row before it or one of its ancestors. */
export const anyRows: fc.Arbitrary<RowSpec[]> = fc
  .array(fc.record({ climb: fc.nat(5), start: fc.nat(100), duration: fc.nat(100), name: fc.nat(2) }), { maxLength: 60 })
  .map((seeds) => {
    const parents: number[] = [];
    return seeds.map(({ climb, start, duration, name }, row) => {
      let parent = row - 1;
      for (let step = 0; step < climb && parent >= 0; step++) parent = parents[parent] ?? -1;
      parents.push(parent);
      return { parent, start, duration, name: `name ${name}` };
    });
  });
