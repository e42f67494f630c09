/** A whole answer's blocks as the columns that a call tree is built from. */
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { SpanColumns } from "../analysis/columns.ts";
import type { NativeBlock } from "./native-reader.ts";

/** The fixed-size columns and the dictionaries of a span; `host` comes beside, see below. */
export const SPAN_COLUMNS_SQL = `span_id, parent_span_id, toUnixTimestamp64Nano(start) AS start_nano, duration_nano, service, name, kind, status,
    toUInt8(notEmpty(event_time) + 2 * notEmpty(link_span_id)) AS has`;

/** One dictionary of all blocks', and an index into it per row. */
export interface TextColumn {
  readonly texts: readonly string[];
  readonly indexes: Uint32Array;
}

/** Of SPAN_COLUMNS_SQL, the first `count` rows. */
export function joinSpanColumns(blocks: readonly NativeBlock[], count: number, host: TextColumn): SpanColumns {
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, count);
  const service = joinTexts(blocks, "service", count);
  const name = joinTexts(blocks, "name", count);
  return {
    count,
    spanId: new Uint8Array(fixed("span_id", 8)),
    parentId: new Uint8Array(fixed("parent_span_id", 8)),
    startNano: new BigInt64Array(fixed("start_nano", 8)),
    durationNano: Float64Array.from(new BigUint64Array(fixed("duration_nano", 8)), Number),
    service: service.indexes,
    name: name.indexes,
    host: host.indexes,
    kind: new Uint8Array(fixed("kind", 1)),
    status: new Uint8Array(fixed("status", 1)),
    has: new Uint8Array(fixed("has", 1)),
    services: service.texts,
    names: name.texts,
    hosts: host.texts,
  };
}

export function joinFixed(blocks: readonly NativeBlock[], name: string, size: number, count: number): ArrayBuffer {
  const joined = new Uint8Array(size * count);
  let at = 0;
  for (const { columns } of blocks) {
    const column = columns.get(name);
    if (column?.kind !== "fixed" || column.size !== size)
      throw new Failure("internal", `column ${name} is not of ${size} bytes a row`);
    joined.set(column.bytes.subarray(0, joined.length - at), at);
    at += column.bytes.length;
  }
  return joined.buffer;
}

export function joinTexts(blocks: readonly NativeBlock[], name: string, count: number): TextColumn {
  const known = new Map<string, number>();
  const indexes = new Uint32Array(count);
  let row = 0;
  for (const { columns } of blocks) {
    const column = columns.get(name);
    if (column?.kind !== "text") throw new Failure("internal", `column ${name} is no dictionary`);
    // A block's dictionary holds more than its rows use: the empty text, and what was filtered out.
    const renumbered = new Int32Array(column.keys.length).fill(-1);
    for (let at = 0; at < column.indexes.length && row < count; at += 1, row += 1) {
      const key = column.indexes[at] ?? 0;
      const number = renumbered[key] ?? -1;
      indexes[row] = number >= 0 ? number : (renumbered[key] = numberOf(known, column.keys[key] ?? ""));
    }
  }
  return { texts: [...known.keys()], indexes };
}

function numberOf(known: Map<string, number>, text: string): number {
  const number = known.get(text) ?? known.size;
  known.set(text, number);
  return number;
}
