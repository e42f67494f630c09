/**
 * The columns of `spans` in the order in which the writer sends them (ClickHouse Native blocks name and type every column, so the
 * transcoder, the DDL and the row mapping all read this table). A test holds it against the migrated table.
 *
 * Canonical JSON (`resource`, `scope`, `attr_json`, `*_attributes`) is one text per value with nothing lost; the encoding is
 * described in schemas/otlp/canonical-json.ts:
 *   {"service.name":"cart","process.pid":42,"ratio":1.0,"$schema":"https://...","$dropped":1}
 *
 * Equality of span attributes has indexes: take the conditions from schemas/clickhouse/search-sql.ts. Within a part rows lie by stretches of
 * ten minutes, in each by service, and of a service by `start`: what a service did is read without the others, a span's relatives lie in a few
 * places of the same stretch. Conditions on `start` are served as they are: of the stretches by the order, within them by an index.
 */
export const SPAN_COLUMNS = [
  /** Day of arrival, the same for a whole block, so that an insert is one part. */
  ["ingest_day", "Date"],
  /** The log record this row came from: the high-water mark and with it exactly-once (reliability). */
  ["log_partition", "UInt32"],
  ["log_offset", "UInt64"],
  ["trace_id", "FixedString(16)"],
  ["span_id", "FixedString(8)"],
  /** Eight zero bytes: no parent. */
  ["parent_span_id", "FixedString(8)"],
  ["start", "DateTime64(9)"],
  ["duration_nano", "UInt64"],
  /** `service.name`, or "unknown_service". */
  ["service", "LowCardinality(String)"],
  ["name", "LowCardinality(String)"],
  /** Wire value of SpanKind, see SPAN_KINDS. */
  ["kind", "UInt8"],
  /** Wire value of StatusCode, see STATUS_CODES. */
  ["status", "UInt8"],
  ["status_message", "String"],
  ["trace_state", "String"],
  ["flags", "UInt32"],
  /** Bit set, see ANOMALY. */
  ["anomalies", "UInt8"],
  /** Canonical JSON object of the resource's attributes; "$schema" and "$dropped" hold what else it has. */
  ["resource", "LowCardinality(String)"],
  /** Canonical JSON object of the scope's attributes; "$name", "$version", "$schema", "$dropped" hold what else it has. */
  ["scope", "LowCardinality(String)"],
  /** Texts of the attributes that word-keys.ts names; `attr_string` has those of all others. */
  ["attr_word", "Map(LowCardinality(String), LowCardinality(String))"],
  ["attr_string", "Map(LowCardinality(String), String)"],
  ["attr_int", "Map(LowCardinality(String), Int64)"],
  ["attr_double", "Map(LowCardinality(String), Float64)"],
  /** Booleans, arrays, maps, bytes and empty values as canonical JSON: `true`, `["a",1]`, `{"$bytes":"AAE="}`, `null`. */
  ["attr_json", "Map(LowCardinality(String), String)"],
  ["dropped_attributes", "UInt32"],
  ["dropped_events", "UInt32"],
  ["dropped_links", "UInt32"],
  ["event_time", "Array(DateTime64(9))"],
  ["event_name", "Array(LowCardinality(String))"],
  /** Canonical JSON object per event. */
  ["event_attributes", "Array(String)"],
  ["event_dropped_attributes", "Array(UInt32)"],
  ["link_trace_id", "Array(FixedString(16))"],
  ["link_span_id", "Array(FixedString(8))"],
  ["link_trace_state", "Array(String)"],
  ["link_flags", "Array(UInt32)"],
  /** Canonical JSON object per link. */
  ["link_attributes", "Array(String)"],
  ["link_dropped_attributes", "Array(UInt32)"],
] as const;

export type SpanColumnName = (typeof SPAN_COLUMNS)[number][0];

/** The number of the stretch that a span lies in, by its `start`, as the order key of `spans` has it. */
export const STRETCH_SQL = "intDiv(toUnixTimestamp64Second(start), 600)";
export const STRETCH_NANO = 600_000_000_000n;
/** The index on `start` keeps ClickHouse from counting whole stretches without reading them: such a count does without. */
export const COUNTS_STRETCHES = { ignore_data_skipping_indices: "start_minmax" };
