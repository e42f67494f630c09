/** The columns of `spans` (spans-table.ts) as buffers, and how they stand in a Native block. */
import { WORD_KEYS } from "../word-keys.ts";
import { SPAN_COLUMNS, type SpanColumnName } from "../spans-table.ts";
import { FixedColumn, LOW_CARDINALITY_VERSION, LowCardinalityColumn, TextColumn } from "./columns.ts";
import type { Part, Repairs } from "./columns.ts";

export class SpanColumns {
  /** Texts repaired since the process started. */
  readonly repairs: Repairs = { count: 0 };
  readonly ingestDay = new FixedColumn(2);
  readonly logPartition = new FixedColumn(4);
  readonly logOffset = new FixedColumn(8);
  readonly traceId = new FixedColumn(16);
  readonly spanId = new FixedColumn(8);
  readonly parentSpanId = new FixedColumn(8);
  readonly start = new FixedColumn(8);
  readonly duration = new FixedColumn(8);
  readonly service = new LowCardinalityColumn(this.repairs);
  readonly name = new LowCardinalityColumn(this.repairs);
  readonly kind = new FixedColumn(1);
  readonly status = new FixedColumn(1);
  readonly statusMessage = new TextColumn(this.repairs);
  readonly traceState = new TextColumn(this.repairs);
  readonly flags = new FixedColumn(4);
  readonly anomalies = new FixedColumn(1);
  readonly resource = new LowCardinalityColumn(this.repairs);
  readonly scope = new LowCardinalityColumn(this.repairs);
  readonly wordOffsets = new FixedColumn(8);
  /** A key of WORD_KEYS has its place in that list as its number, here and among the keys of the other texts. */
  readonly wordKeys = new LowCardinalityColumn(this.repairs, WORD_KEYS);
  readonly wordValues = new LowCardinalityColumn(this.repairs);
  readonly stringOffsets = new FixedColumn(8);
  readonly stringKeys = new LowCardinalityColumn(this.repairs, WORD_KEYS);
  readonly stringValues = new TextColumn(this.repairs);
  readonly intOffsets = new FixedColumn(8);
  readonly intKeys = new LowCardinalityColumn(this.repairs);
  readonly intValues = new FixedColumn(8);
  readonly doubleOffsets = new FixedColumn(8);
  readonly doubleKeys = new LowCardinalityColumn(this.repairs);
  readonly doubleValues = new FixedColumn(8);
  readonly jsonOffsets = new FixedColumn(8);
  readonly jsonKeys = new LowCardinalityColumn(this.repairs);
  readonly jsonValues = new TextColumn(this.repairs);
  readonly droppedAttributes = new FixedColumn(4);
  readonly droppedEvents = new FixedColumn(4);
  readonly droppedLinks = new FixedColumn(4);
  readonly eventOffsets = new FixedColumn(8);
  readonly eventTime = new FixedColumn(8);
  readonly eventName = new LowCardinalityColumn(this.repairs);
  readonly eventAttributes = new TextColumn(this.repairs);
  readonly eventDroppedAttributes = new FixedColumn(4);
  readonly linkOffsets = new FixedColumn(8);
  readonly linkTraceId = new FixedColumn(16);
  readonly linkSpanId = new FixedColumn(8);
  readonly linkTraceState = new TextColumn(this.repairs);
  readonly linkFlags = new FixedColumn(4);
  readonly linkAttributes = new TextColumn(this.repairs);
  readonly linkDroppedAttributes = new FixedColumn(4);

  /**
   * What stands in the block for each column. An array or map is the running end of each row's elements, then all elements; a map is
   * an array of pairs, so its keys and values follow one another.
   */
  private readonly layout: Readonly<Record<SpanColumnName, readonly Part[]>> = {
    ingest_day: [this.ingestDay],
    log_partition: [this.logPartition],
    log_offset: [this.logOffset],
    trace_id: [this.traceId],
    span_id: [this.spanId],
    parent_span_id: [this.parentSpanId],
    start: [this.start],
    duration_nano: [this.duration],
    service: [LOW_CARDINALITY_VERSION, this.service],
    name: [LOW_CARDINALITY_VERSION, this.name],
    kind: [this.kind],
    status: [this.status],
    status_message: [this.statusMessage],
    trace_state: [this.traceState],
    flags: [this.flags],
    anomalies: [this.anomalies],
    resource: [LOW_CARDINALITY_VERSION, this.resource],
    scope: [LOW_CARDINALITY_VERSION, this.scope],
    attr_word: [LOW_CARDINALITY_VERSION, LOW_CARDINALITY_VERSION, this.wordOffsets, this.wordKeys, this.wordValues],
    attr_string: [LOW_CARDINALITY_VERSION, this.stringOffsets, this.stringKeys, this.stringValues],
    attr_int: [LOW_CARDINALITY_VERSION, this.intOffsets, this.intKeys, this.intValues],
    attr_double: [LOW_CARDINALITY_VERSION, this.doubleOffsets, this.doubleKeys, this.doubleValues],
    attr_json: [LOW_CARDINALITY_VERSION, this.jsonOffsets, this.jsonKeys, this.jsonValues],
    dropped_attributes: [this.droppedAttributes],
    dropped_events: [this.droppedEvents],
    dropped_links: [this.droppedLinks],
    event_time: [this.eventOffsets, this.eventTime],
    event_name: [LOW_CARDINALITY_VERSION, this.eventOffsets, this.eventName],
    event_attributes: [this.eventOffsets, this.eventAttributes],
    event_dropped_attributes: [this.eventOffsets, this.eventDroppedAttributes],
    link_trace_id: [this.linkOffsets, this.linkTraceId],
    link_span_id: [this.linkOffsets, this.linkSpanId],
    link_trace_state: [this.linkOffsets, this.linkTraceState],
    link_flags: [this.linkOffsets, this.linkFlags],
    link_attributes: [this.linkOffsets, this.linkAttributes],
    link_dropped_attributes: [this.linkOffsets, this.linkDroppedAttributes],
  };
  /** Everything in the block, with the offsets that arrays share as often as they are sent; then each once. */
  private readonly stretches: readonly Part[] = Object.values(this.layout).flat();
  private readonly parts: readonly Part[] = [...new Set(this.stretches)];

  get rowCount(): number {
    return this.traceId.count;
  }

  /** Bytes of the encoded block, about. */
  get byteCount(): number {
    let total = HEADERS_BYTES;
    for (const part of this.stretches) total += part.byteCount;
    return total;
  }

  /** Adds anomalies to the rows from `firstRow` on. */
  flagRows(firstRow: number, anomaly: number): void {
    const { bytes, count } = this.anomalies;
    for (let row = firstRow; row < count; row++) bytes[row] = (bytes[row] ?? 0) | anomaly;
  }

  mark(): void {
    for (const part of this.parts) part.mark();
  }

  rollback(): void {
    for (const part of this.parts) part.rollback();
  }

  reset(): void {
    for (const part of this.parts) part.reset();
  }

  /**
   * The block: count of columns, count of rows, then for each column its name, its type and its data. Source: ClickHouse's Native
   * format without a client revision, as HTTP takes it. A block of 0 rows has no data.
   */
  encode(): Uint8Array[] {
    const out: Uint8Array[] = [encodeVarints([SPAN_COLUMNS.length, this.rowCount])];
    for (const [name] of SPAN_COLUMNS) {
      out.push(HEADERS.get(name) ?? new Uint8Array(0));
      if (this.rowCount > 0) for (const part of this.layout[name]) part.encode(out);
    }
    return out;
  }
}

const HEADERS: ReadonlyMap<string, Uint8Array> = new Map(SPAN_COLUMNS.map(([name, type]) => [name, encodeHeader(name, type)]));

const HEADERS_BYTES = [...HEADERS.values()].reduce((sum, header) => sum + header.length, 0);

function encodeHeader(name: string, type: string): Uint8Array {
  // Both are ASCII and shorter than 128.
  return new TextEncoder().encode(`${String.fromCharCode(name.length)}${name}${String.fromCharCode(type.length)}${type}`);
}

function encodeVarints(values: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (const value of values) {
    let rest = value;
    while (rest > 0x7f) {
      bytes.push((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    bytes.push(rest);
  }
  return new Uint8Array(bytes);
}
