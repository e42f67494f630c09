/** A whole answer's blocks as the columns that a call tree is built from. */
import type { SpanColumns } from "../analysis/columns.ts";
import { joinFixed, joinTexts, type TextColumn } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import type { NativeBlock } from "@callchain/schemas/clickhouse/native/read-native.ts";

/** The fixed-size columns and the dictionaries of a span; `host` comes beside, see below. */
export const SPAN_COLUMNS_SQL = `span_id, parent_span_id, toUnixTimestamp64Nano(start) AS start_nano, duration_nano, service, name, kind, status,
    toUInt8(notEmpty(event_time) + 2 * notEmpty(link_span_id)) AS has`;

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
