/**
 * OTLP request bytes into columns, in one pass and without an object, closure or array per span. The wire format stands in
 * schemas/otlp/wire.ts, what becomes of times and texts in schemas/span/span.ts (ANOMALY).
 */
import { Cursor } from "../../otlp/cursor.ts";
import {
  KIND_MAX,
  REQUEST,
  REQUEST_TYPES,
  RESOURCE_SPANS,
  RESOURCE_SPANS_TYPES,
  SCOPE_SPANS,
  SCOPE_SPANS_TYPES,
  SPAN,
  SPAN_TYPES,
  STATUS,
  STATUS_CODE_MAX,
  STATUS_TYPES,
  type WireTypes,
} from "../../otlp/wire.ts";
import { ANOMALY } from "../../span/span.ts";
import { AttributeTranscoder } from "./attribute-transcoder.ts";
import type { FixedColumn } from "./columns.ts";
import { ElementTranscoder } from "./element-transcoder.ts";
import { OwnerTable } from "./owner-table.ts";
import type { SpanColumns } from "./span-columns.ts";

/**
 * Where the single fields of the span being read stand: two slots by field number. Start and length of a text or id, low and high
 * half of a time, value of a count. Zero: not sent.
 */
const slotOf = (tag: number): number => (tag >>> 3) * 2;
const TRACE_ID = slotOf(SPAN.traceId);
const SPAN_ID = slotOf(SPAN.spanId);
const TRACE_STATE = slotOf(SPAN.traceState);
const PARENT_SPAN_ID = slotOf(SPAN.parentSpanId);
const NAME = slotOf(SPAN.name);
const KIND = slotOf(SPAN.kind);
const START = slotOf(SPAN.startTimeUnixNano);
const END = slotOf(SPAN.endTimeUnixNano);
const DROPPED_ATTRIBUTES = slotOf(SPAN.droppedAttributesCount);
const DROPPED_EVENTS = slotOf(SPAN.droppedEventsCount);
const DROPPED_LINKS = slotOf(SPAN.droppedLinksCount);
const STATUS_FIELD = slotOf(SPAN.status);
const FLAGS = slotOf(SPAN.flags);
const SLOT_COUNT = FLAGS + 2;

export class SpanTranscoder {
  private readonly columns: SpanColumns;
  private readonly cursor = new Cursor();
  private readonly attributes: AttributeTranscoder;
  private readonly elements: ElementTranscoder;
  private readonly resources: OwnerTable;
  private readonly scopes: OwnerTable;
  private readonly fields = new Int32Array(SLOT_COUNT);
  /** Counts blocks: an owner's dictionary indexes hold for one of them. */
  private block = 0;

  constructor(columns: SpanColumns) {
    this.columns = columns;
    this.attributes = new AttributeTranscoder(this.cursor, columns);
    this.elements = new ElementTranscoder(this.cursor, columns);
    this.resources = new OwnerTable(columns.resource, columns.service);
    this.scopes = new OwnerTable(columns.scope, null);
  }

  /** The columns have been emptied: what was known about their dictionaries no longer holds. */
  beginBlock(): void {
    this.block++;
  }

  /** Appends the spans of one request. Throws InvalidError; the columns then hold parts of it. */
  append(request: Uint8Array): void {
    const { cursor } = this;
    cursor.open(request);
    const end = request.length;
    while (cursor.pos < end) {
      if (request[cursor.pos] === REQUEST.resourceSpans) {
        cursor.pos++;
        const length = cursor.length(end);
        this.appendResourceSpans(cursor.pos + length);
      } else {
        cursor.skipField(end, REQUEST_TYPES);
      }
    }
    cursor.close();
  }

  /** Resource and schema URL may come before or after the spans: the rows get them at the end. */
  private appendResourceSpans(end: number): void {
    const { columns, cursor, resources } = this;
    const firstRow = columns.rowCount;
    resources.open();
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === RESOURCE_SPANS.scopeSpans) {
        cursor.pos++;
        const length = cursor.length(end);
        this.appendScopeSpans(cursor.pos + length);
      } else {
        this.readOwnerField(resources, tag, end, RESOURCE_SPANS_TYPES);
      }
    }
    const resource = resources.resolve(this.block);
    const count = columns.rowCount - firstRow;
    columns.service.pushRepeated(resource.serviceIndex, count);
    columns.resource.pushRepeated(resource.jsonIndex, count);
    if (resource.isRepaired) columns.flagRows(firstRow, ANOMALY.textRepaired);
  }

  private appendScopeSpans(end: number): void {
    const { columns, cursor, scopes } = this;
    const firstRow = columns.rowCount;
    scopes.open();
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === SCOPE_SPANS.spans) {
        cursor.pos++;
        const length = cursor.length(end);
        this.appendSpan(cursor.pos, cursor.pos + length);
      } else {
        this.readOwnerField(scopes, tag, end, SCOPE_SPANS_TYPES);
      }
    }
    const scope = scopes.resolve(this.block);
    columns.scope.pushRepeated(scope.jsonIndex, columns.rowCount - firstRow);
    if (scope.isRepaired) columns.flagRows(firstRow, ANOMALY.textRepaired);
  }

  /** ResourceSpans and ScopeSpans are alike: field 1 is the owner, 2 what it holds, 3 its schema URL. */
  private readOwnerField(table: OwnerTable, tag: number, end: number, types: WireTypes): void {
    const { cursor } = this;
    if (tag !== SCOPE_SPANS.scope && tag !== SCOPE_SPANS.schemaUrl) {
      cursor.skipField(end, types);
      return;
    }
    cursor.pos++;
    const length = cursor.length(end);
    if (tag === SCOPE_SPANS.scope) {
      table.append(cursor.bytes, cursor.pos, length);
    } else {
      table.setSchemaUrl(cursor.bytes, cursor.pos, length);
    }
    cursor.pos += length;
  }

  /** Leaves `cursor.pos` at `end`. */
  private appendSpan(start: number, end: number): void {
    const { columns, elements } = this;
    const repairedBefore = columns.repairs.count;
    elements.clampedCount = 0;
    this.fields.fill(0);
    this.readFields(start, end);
    this.pushFields();
    this.attributes.endRow();
    elements.endRow();
    let anomalies = this.pushTimes();
    if (elements.clampedCount > 0) anomalies |= ANOMALY.timeClamped;
    if (columns.repairs.count !== repairedBefore) anomalies |= ANOMALY.textRepaired;
    columns.anomalies.push8(anomalies);
    this.cursor.pos = end;
  }

  /** Notes the single fields, appends attributes, events and links as they come. */
  private readFields(start: number, end: number): void {
    const { cursor, fields } = this;
    const { bytes } = cursor;
    let pos = start;
    while (pos < end) {
      const tag = bytes[pos] ?? 0;
      if ((tag & 7) !== 2 || SPAN_TYPES[tag >>> 3] !== 2) {
        cursor.pos = pos;
        this.readNumber(tag, end);
        pos = cursor.pos;
        continue;
      }
      let length = bytes[pos + 1] ?? 0;
      pos += 2;
      if (length > 0x7f || length > end - pos) {
        cursor.pos = pos - 1;
        length = cursor.length(end);
        pos = cursor.pos;
      }
      if (tag === SPAN.attributes) {
        this.attributes.append(pos, pos + length);
      } else if (tag === SPAN.events) {
        this.elements.appendEvent(pos, pos + length);
      } else if (tag === SPAN.links) {
        this.elements.appendLink(pos, pos + length);
      } else {
        const slot = (tag >>> 3) * 2;
        fields[slot] = pos;
        fields[slot + 1] = length;
      }
      pos += length;
    }
  }

  /** Any field that is not length-delimited, and unknown ones; `cursor.pos` is at the tag and afterwards behind the field. */
  private readNumber(tag: number, end: number): void {
    const { cursor, fields } = this;
    const start = cursor.pos;
    if ((tag === SPAN.startTimeUnixNano || tag === SPAN.endTimeUnixNano) && end - start >= 9) {
      const slot = (tag >>> 3) * 2;
      fields[slot] = cursor.view.getInt32(start + 1, true);
      fields[slot + 1] = cursor.view.getInt32(start + 5, true);
      cursor.pos = start + 9;
      return;
    }
    // Checks tag and wire type, and that the field lies within the span.
    cursor.skipField(end, SPAN_TYPES);
    const slot = (tag >>> 3) * 2;
    switch (tag) {
      case SPAN.flags:
        // 0x85 begins the tags of fields 16, 32, 48...; the second byte tells them apart.
        if (cursor.bytes[start + 1] === SPAN.flags >>> 7) fields[FLAGS] = cursor.view.getInt32(start + 2, true);
        return;
      case SPAN.kind:
      case SPAN.droppedAttributesCount:
      case SPAN.droppedEventsCount:
      case SPAN.droppedLinksCount:
        fields[slot] = cursor.low;
        return;
      default:
    }
  }

  private pushFields(): void {
    const { columns, cursor, fields } = this;
    const { bytes, view } = cursor;
    this.pushId(columns.traceId, TRACE_ID, 16, "trace_id");
    this.pushId(columns.spanId, SPAN_ID, 8, "span_id");
    if (fields[PARENT_SPAN_ID + 1] === 0) {
      columns.parentSpanId.push64(0, 0);
    } else if (fields[PARENT_SPAN_ID + 1] === 8) {
      columns.parentSpanId.pushBytes(view, fields[PARENT_SPAN_ID] ?? 0);
    } else {
      cursor.failAt(fields[PARENT_SPAN_ID] ?? 0, `parent_span_id has ${fields[PARENT_SPAN_ID + 1]} bytes, expected 8 or none`);
    }
    columns.name.push(bytes, view, fields[NAME] ?? 0, fields[NAME + 1] ?? 0);
    columns.traceState.push(bytes, view, fields[TRACE_STATE] ?? 0, fields[TRACE_STATE + 1] ?? 0);
    const kind = fields[KIND] ?? 0;
    columns.kind.push8(kind >>> 0 <= KIND_MAX ? kind : 0);
    columns.flags.push32(fields[FLAGS] ?? 0);
    columns.droppedAttributes.push32(fields[DROPPED_ATTRIBUTES] ?? 0);
    columns.droppedEvents.push32(fields[DROPPED_EVENTS] ?? 0);
    columns.droppedLinks.push32(fields[DROPPED_LINKS] ?? 0);
    this.pushStatus(fields[STATUS_FIELD] ?? 0, fields[STATUS_FIELD + 1] ?? 0);
  }

  private pushId(column: FixedColumn, slot: number, size: number, name: string): void {
    const { cursor } = this;
    const start = this.fields[slot] ?? 0;
    const length = this.fields[slot + 1] ?? 0;
    if (length !== size) cursor.failAt(start, `${name} has ${length} bytes, expected ${size}`);
    if (isZero(cursor.view, start, size)) cursor.failAt(start, `${name} is all zero`);
    column.pushBytes(cursor.view, start);
  }

  private pushStatus(start: number, length: number): void {
    const { columns, cursor } = this;
    const end = start + length;
    let messageStart = 0;
    let messageLength = 0;
    let code = 0;
    cursor.pos = start;
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === STATUS.message) {
        cursor.pos++;
        messageLength = cursor.length(end);
        messageStart = cursor.pos;
        cursor.pos += messageLength;
      } else if (tag === STATUS.code) {
        cursor.pos++;
        code = cursor.varint(end);
      } else {
        cursor.skipField(end, STATUS_TYPES);
      }
    }
    columns.statusMessage.push(cursor.bytes, cursor.view, messageStart, messageLength);
    columns.status.push8(code <= STATUS_CODE_MAX ? code : 0);
  }

  /** Start and duration; the anomalies found. Times are unsigned on the wire and signed in the column. */
  private pushTimes(): number {
    const { columns, fields } = this;
    let startLow = fields[START] ?? 0;
    let startHigh = fields[START + 1] ?? 0;
    let endLow = fields[END] ?? 0;
    let endHigh = fields[END + 1] ?? 0;
    let anomalies = 0;
    if (startHigh < 0 || endHigh < 0) {
      anomalies |= ANOMALY.timeClamped;
      if (startHigh < 0) [startLow, startHigh] = [-1, 0x7fff_ffff];
      if (endHigh < 0) [endLow, endHigh] = [-1, 0x7fff_ffff];
    }
    if ((startLow | startHigh) === 0) {
      anomalies |= ANOMALY.startMissing;
      startLow = endLow;
      startHigh = endHigh;
    }
    const borrow = endLow >>> 0 < startLow >>> 0 ? 1 : 0;
    const high = endHigh - startHigh - borrow;
    columns.start.push64(startLow, startHigh);
    if (high < 0) {
      columns.duration.push64(0, 0);
      return anomalies | ANOMALY.endBeforeStart;
    }
    columns.duration.push64((endLow - startLow) | 0, high);
    return anomalies;
  }
}

/** `size` is a multiple of 4. */
function isZero(view: DataView, start: number, size: number): boolean {
  let bits = 0;
  for (let at = start; at < start + size; at += 4) bits |= view.getInt32(at);
  return bits === 0;
}
