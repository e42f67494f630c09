/** Rows of `spans` from named defaults, for tests that ask the real engine. */
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { isWordKey } from "@callchain/schemas/clickhouse/word-keys.ts";
import { SPAN_KINDS, type SpanKind } from "@callchain/schemas/span/span.ts";

export interface SpanSeed {
  /** Any text; trace and span ids are its padded hex. */
  readonly trace: string;
  readonly id: string;
  readonly parent?: string;
  readonly service: string;
  readonly name?: string;
  readonly kind?: SpanKind;
  readonly startNano: bigint;
  readonly durationNano?: bigint;
  readonly isError?: boolean;
  readonly flags?: number;
  readonly text?: Readonly<Record<string, string>>;
  readonly ints?: Readonly<Record<string, number>>;
  /** JSON-able; `service.name` is added. */
  readonly resource?: Readonly<Record<string, string | number | boolean>>;
  readonly links?: readonly { readonly trace: string; readonly id: string }[];
}

function hexOf(text: string, bytes: number): string {
  return Buffer.from(text)
    .toString("hex")
    .padStart(bytes * 2, "0")
    .slice(-bytes * 2);
}

/** As the trace id appears in answers. */
export function traceIdOf(trace: string): string {
  return hexOf(trace, 16);
}

/** As the span id appears in answers. */
export function spanIdOf(id: string): string {
  return hexOf(id, 8);
}

/** One row as ClickHouse's JSONEachRow takes it; ids in hex are unpacked by the statement of `insertSpans`. */
function buildRow(seed: SpanSeed): Record<string, unknown> {
  const texts = Object.entries(seed.text ?? {});
  return {
    trace_hex: traceIdOf(seed.trace),
    span_hex: spanIdOf(seed.id),
    parent_hex: seed.parent === undefined ? "0".repeat(16) : spanIdOf(seed.parent),
    start_nano: seed.startNano.toString(),
    duration_nano: (seed.durationNano ?? 1_000_000n).toString(),
    service: seed.service,
    name: seed.name ?? "work",
    kind: SPAN_KINDS.indexOf(seed.kind ?? "internal"),
    status: seed.isError === true ? 2 : 0,
    flags: seed.flags ?? 0,
    resource: JSON.stringify({ "service.name": seed.service, ...seed.resource }),
    attr_word: Object.fromEntries(texts.filter(([key]) => isWordKey(key))),
    attr_string: Object.fromEntries(texts.filter(([key]) => !isWordKey(key))),
    attr_int: seed.ints ?? {},
    link_trace_hex: (seed.links ?? []).map((link) => traceIdOf(link.trace)),
    link_span_hex: (seed.links ?? []).map((link) => spanIdOf(link.id)),
  };
}

const STRUCTURE = `trace_hex String, span_hex String, parent_hex String, start_nano Int64, duration_nano UInt64, service String, name String,
  kind UInt8, status UInt8, flags UInt32, resource String, attr_word Map(String, String), attr_string Map(String, String), attr_int Map(String, Int64),
  link_trace_hex Array(String), link_span_hex Array(String)`;

export interface StoredAt {
  readonly partition: number;
  readonly offset: number;
  /** Of arrival. */
  readonly day?: string;
}

/** Stores the spans through a writing database, all in one block, as if they came in one record of the log. */
export async function insertSpans(
  writer: SpanDatabase,
  seeds: readonly SpanSeed[],
  { partition, offset, day = "2026-01-01" }: StoredAt = { partition: 0, offset: 0 },
): Promise<void> {
  await writer.insert(
    `INSERT INTO spans (ingest_day, log_partition, log_offset, trace_id, span_id, parent_span_id, start, duration_nano, service, name, kind, status, flags, resource, scope,
       attr_word, attr_string, attr_int, link_trace_id, link_span_id)
     SELECT {day:Date}, {partition:UInt32}, {offset:UInt64}, toFixedString(unhex(trace_hex), 16), toFixedString(unhex(span_hex), 8), toFixedString(unhex(parent_hex), 8),
       fromUnixTimestamp64Nano(start_nano), duration_nano, service, name, kind, status, flags, resource, '{}',
       CAST(attr_word, 'Map(LowCardinality(String), LowCardinality(String))'), CAST(attr_string, 'Map(LowCardinality(String), String)'), CAST(attr_int, 'Map(LowCardinality(String), Int64)'),
       arrayMap(id -> toFixedString(unhex(id), 16), link_trace_hex), arrayMap(id -> toFixedString(unhex(id), 8), link_span_hex)
     FROM input('${STRUCTURE.replaceAll(/\s+/g, " ")}') FORMAT JSONEachRow`,
    [Buffer.from(seeds.map((seed) => JSON.stringify(buildRow(seed))).join("\n"))],
    { params: { partition, offset, day } },
  );
}
