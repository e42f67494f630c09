/** Events and links of spans into their parallel arrays. */
import type { Cursor } from "../../otlp/cursor.ts";
import { EVENT, EVENT_TYPES, LINK, LINK_TYPES } from "../../otlp/wire.ts";
import type { SpanColumns } from "./span-columns.ts";
import { ValueJson } from "./value-json.ts";

export class ElementTranscoder {
  /** Event times that had to be clamped; the caller sets it back. */
  clampedCount = 0;
  private readonly cursor: Cursor;
  private readonly columns: SpanColumns;
  private readonly json: ValueJson;
  /** Of the text found last by `readText`. */
  private textStart = 0;
  private textLength = 0;

  constructor(cursor: Cursor, columns: SpanColumns) {
    this.cursor = cursor;
    this.columns = columns;
    this.json = new ValueJson(cursor, columns.repairs);
  }

  /** Ends the row: everything appended since the last one is its. */
  endRow(): void {
    const { columns } = this;
    columns.eventOffsets.push64(columns.eventTime.count, 0);
    columns.linkOffsets.push64(columns.linkTraceId.count, 0);
  }

  /** Appends the Event in [start, end). */
  appendEvent(start: number, end: number): void {
    const { columns, cursor, json } = this;
    const { bytes, view } = cursor;
    let timeLow = 0;
    let timeHigh = 0;
    let nameStart = 0;
    let nameLength = 0;
    let dropped = 0;
    json.openObject();
    cursor.pos = start;
    while (cursor.pos < end) {
      const fieldStart = cursor.pos;
      const tag = bytes[fieldStart] ?? 0;
      if (tag === EVENT.attributes) {
        this.readAttribute(end);
      } else if (tag === EVENT.name) {
        this.readText(end);
        nameStart = this.textStart;
        nameLength = this.textLength;
      } else {
        cursor.skipField(end, EVENT_TYPES);
        if (tag === EVENT.timeUnixNano) {
          timeLow = view.getInt32(fieldStart + 1, true);
          timeHigh = view.getInt32(fieldStart + 5, true);
        } else if (tag === EVENT.droppedAttributesCount) {
          dropped = cursor.low;
        }
      }
    }
    json.closeObject();
    if (timeHigh < 0) {
      this.clampedCount++;
      timeLow = -1;
      timeHigh = 0x7fff_ffff;
    }
    columns.eventTime.push64(timeLow, timeHigh);
    columns.eventName.push(bytes, view, nameStart, nameLength);
    columns.eventAttributes.push(json.bytes, json.view, 0, json.size);
    columns.eventDroppedAttributes.push32(dropped);
  }

  /** Appends the Link in [start, end). */
  appendLink(start: number, end: number): void {
    const { columns, cursor, json } = this;
    const { bytes, view } = cursor;
    let traceStart = 0;
    let traceLength = 0;
    let spanStart = 0;
    let spanLength = 0;
    let stateStart = 0;
    let stateLength = 0;
    let flags = 0;
    let dropped = 0;
    json.openObject();
    cursor.pos = start;
    while (cursor.pos < end) {
      const fieldStart = cursor.pos;
      const tag = bytes[fieldStart] ?? 0;
      if (tag === LINK.attributes) {
        this.readAttribute(end);
      } else if (tag === LINK.traceId) {
        this.readText(end);
        traceStart = this.textStart;
        traceLength = this.textLength;
      } else if (tag === LINK.spanId) {
        this.readText(end);
        spanStart = this.textStart;
        spanLength = this.textLength;
      } else if (tag === LINK.traceState) {
        this.readText(end);
        stateStart = this.textStart;
        stateLength = this.textLength;
      } else {
        cursor.skipField(end, LINK_TYPES);
        if (tag === LINK.flags) flags = view.getInt32(fieldStart + 1, true);
        if (tag === LINK.droppedAttributesCount) dropped = cursor.low;
      }
    }
    json.closeObject();
    if (traceLength !== 16) cursor.failAt(start, `the trace_id of a link has ${traceLength} bytes, expected 16`);
    if (spanLength !== 8) cursor.failAt(start, `the span_id of a link has ${spanLength} bytes, expected 8`);
    columns.linkTraceId.pushBytes(view, traceStart);
    columns.linkSpanId.pushBytes(view, spanStart);
    columns.linkTraceState.push(bytes, view, stateStart, stateLength);
    columns.linkFlags.push32(flags);
    columns.linkAttributes.push(json.bytes, json.view, 0, json.size);
    columns.linkDroppedAttributes.push32(dropped);
  }

  private readAttribute(end: number): void {
    const { cursor } = this;
    cursor.pos++;
    const fieldEnd = cursor.length(end) + cursor.pos;
    this.json.attribute(cursor.pos, fieldEnd);
    cursor.pos = fieldEnd;
  }

  private readText(end: number): void {
    const { cursor } = this;
    cursor.pos++;
    this.textLength = cursor.length(end);
    this.textStart = cursor.pos;
    cursor.pos += this.textLength;
  }
}
