/** A whole answer's blocks as the columns that a call tree is built from. */
import { HOST_KEYS, type SpanColumns } from "../analysis/columns.ts";
import { joinFixed, joinTexts, type TextColumn } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import { readUint64 } from "@callchain/schemas/clickhouse/native/read-int64.ts";
import type { NativeBlock } from "@callchain/schemas/clickhouse/native/read-native.ts";

/** The fixed-size columns and the dictionaries of a span. */
export const SPAN_COLUMNS_SQL = `span_id, parent_span_id, toUnixTimestamp64Nano(start) AS start_nano, duration_nano, service, name, kind, status, resource,
    toUInt8(notEmpty(event_time) + 2 * notEmpty(link_span_id)) AS has`;

/** Of SPAN_COLUMNS_SQL, the first `count` rows. */
export function joinSpanColumns(blocks: readonly NativeBlock[], count: number): SpanColumns {
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, count);
  const service = joinTexts(blocks, "service", count);
  const name = joinTexts(blocks, "name", count);
  const host = joinHosts(joinTexts(blocks, "resource", count), service);
  return {
    count,
    spanId: new Uint8Array(fixed("span_id", 8)),
    parentId: new Uint8Array(fixed("parent_span_id", 8)),
    startNano: new BigInt64Array(fixed("start_nano", 8)),
    durationNano: readUint64(fixed("duration_nano", 8)),
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

/** Whose clock stamped each span: read from the few distinct resources, which the server would take 2 ms to plan. */
function joinHosts(resource: TextColumn, service: TextColumn): TextColumn {
  const hosts = resource.texts.map(hostOf);
  const numbers = new Map<string, number>();
  const indexes = new Uint32Array(resource.indexes.length);
  for (let row = 0; row < indexes.length; row += 1) {
    const host = hosts[resource.indexes[row] ?? 0] ?? service.texts[service.indexes[row] ?? 0] ?? "";
    const number = numbers.get(host) ?? numbers.size;
    if (number === numbers.size) numbers.set(host, number);
    indexes[row] = number;
  }
  return { texts: [...numbers.keys()], indexes };
}

/** `resource` is a canonical JSON object; undefined where it names no host. */
function hostOf(resource: string): string | undefined {
  const parsed: unknown = JSON.parse(resource);
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const members = new Map<string, unknown>(Object.entries(parsed));
  return HOST_KEYS.map((key) => members.get(key)).find((value): value is string => typeof value === "string" && value !== "");
}
