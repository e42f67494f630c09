/** The part of the scan that reads one span. */
import type { Cursor } from "./cursor.ts";
import { scanKeyValue } from "./scan-values.ts";
import {
  ELEMENT_COUNT_MAX,
  EVENT,
  EVENT_TYPES,
  LINK,
  LINK_TYPES,
  SPAN,
  SPAN_TYPES,
  STATUS_TYPES,
  VALUE_DEPTH_MAX,
  type WireTypes,
} from "./wire.ts";

const TOO_DEEP = `a value nests deeper than ${VALUE_DEPTH_MAX}`;

export class SpanScanner {
  private readonly cursor: Cursor;
  /** Where the ids of the span being read begin, and their lengths. */
  private traceStart = 0;
  private traceLength = 0;
  private spanStart = 0;
  private spanLength = 0;
  private parentLength = 0;
  private attributeCount = 0;
  private eventCount = 0;
  private linkCount = 0;
  /** The first fault found among attributes, events and links. */
  private fault: string | null = null;

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  /**
   * Reads the Span between `cursor.pos` and `end`. Null when it can be stored, else why not, beginning with the field's name.
   * Throws InvalidError when the framing is broken.
   */
  scan(end: number): string | null {
    this.traceLength = 0;
    this.spanLength = 0;
    this.parentLength = 0;
    this.attributeCount = 0;
    this.eventCount = 0;
    this.linkCount = 0;
    this.fault = null;
    const { cursor } = this;
    const { bytes } = cursor;
    let pos = cursor.pos;
    while (pos < end) {
      const tag = bytes[pos] ?? 0;
      const length = bytes[pos + 1] ?? 0;
      if (tag === SPAN.attributes && length < 0x80 && pos + 2 + length <= end) {
        this.attributeCount++;
        pos += 2;
        if (!scanKeyValue(cursor, pos, pos + length, 1)) this.fault ??= `attributes: ${TOO_DEEP}`;
        pos += length;
      } else {
        cursor.pos = pos;
        this.scanField(tag, end);
        pos = cursor.pos;
      }
    }
    return this.idFault() ?? this.fault ?? this.countFault();
  }

  /** A field that is not a short attribute; `cursor.pos` is at its tag and afterwards at the next one. */
  private scanField(tag: number, end: number): void {
    const { cursor } = this;
    switch (tag) {
      case SPAN.traceId:
        this.traceLength = this.open(end);
        this.traceStart = cursor.pos;
        cursor.pos += this.traceLength;
        return;
      case SPAN.spanId:
        this.spanLength = this.open(end);
        this.spanStart = cursor.pos;
        cursor.pos += this.spanLength;
        return;
      case SPAN.parentSpanId:
        this.parentLength = this.open(end);
        cursor.pos += this.parentLength;
        return;
      case SPAN.attributes:
      case SPAN.events:
      case SPAN.links:
      case SPAN.status: {
        const length = this.open(end);
        this.scanMessage(tag, cursor.pos + length);
        return;
      }
      default:
        cursor.skipField(end, SPAN_TYPES);
    }
  }

  private scanMessage(tag: number, end: number): void {
    const { cursor } = this;
    if (tag === SPAN.attributes) {
      this.attributeCount++;
      if (!scanKeyValue(cursor, cursor.pos, end, 1)) this.fault ??= `attributes: ${TOO_DEEP}`;
    } else if (tag === SPAN.events) {
      const fault = scanAttributed(cursor, end, EVENT.attributes, EVENT_TYPES);
      if (fault !== null) this.fault ??= `events[${this.eventCount}].${fault}`;
      this.eventCount++;
    } else if (tag === SPAN.links) {
      const fault = this.scanLink(end);
      if (fault !== null) this.fault ??= `links[${this.linkCount}].${fault}`;
      this.linkCount++;
    } else {
      while (cursor.pos < end) cursor.skipField(end, STATUS_TYPES);
    }
    cursor.pos = end;
  }

  private scanLink(end: number): string | null {
    const { cursor } = this;
    const start = cursor.pos;
    const fault = scanAttributed(cursor, end, LINK.attributes, LINK_TYPES);
    if (fault !== null) return fault;
    cursor.pos = start;
    let traceFault = idFault(cursor, "traceId", 16, 0, 0);
    let spanFault = idFault(cursor, "spanId", 8, 0, 0);
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === LINK.traceId || tag === LINK.spanId) {
        const length = this.open(end);
        if (tag === LINK.traceId) traceFault = idFault(cursor, "traceId", 16, cursor.pos, length);
        if (tag === LINK.spanId) spanFault = idFault(cursor, "spanId", 8, cursor.pos, length);
        cursor.pos += length;
      } else {
        cursor.skipField(end, LINK_TYPES);
      }
    }
    return traceFault ?? spanFault;
  }

  /** Steps over a tag of one byte and reads the length behind it. */
  private open(end: number): number {
    this.cursor.pos++;
    return this.cursor.length(end);
  }

  private idFault(): string | null {
    const { cursor } = this;
    return (
      idFault(cursor, "traceId", 16, this.traceStart, this.traceLength) ??
      idFault(cursor, "spanId", 8, this.spanStart, this.spanLength) ??
      (this.parentLength === 0 || this.parentLength === 8
        ? null
        : `parentSpanId: expected 8 bytes or none, given ${this.parentLength} bytes`)
    );
  }

  private countFault(): string | null {
    if (this.attributeCount > ELEMENT_COUNT_MAX) return tooMany("attributes", this.attributeCount);
    if (this.eventCount > ELEMENT_COUNT_MAX) return tooMany("events", this.eventCount);
    if (this.linkCount > ELEMENT_COUNT_MAX) return tooMany("links", this.linkCount);
    return null;
  }
}

/**
 * Reads a message in which only the attributes can keep it from being stored (Resource, Scope, Event, and Link but for its ids),
 * from `cursor.pos` to `end`. Null, or why it cannot be stored.
 */
export function scanAttributed(cursor: Cursor, end: number, attributes: number, types: WireTypes): string | null {
  let count = 0;
  let shallow = true;
  while (cursor.pos < end) {
    if (cursor.bytes[cursor.pos] === attributes) {
      cursor.pos++;
      const valueEnd = cursor.length(end) + cursor.pos;
      shallow = scanKeyValue(cursor, cursor.pos, valueEnd, 1) && shallow;
      cursor.pos = valueEnd;
      count++;
    } else {
      cursor.skipField(end, types);
    }
  }
  if (!shallow) return `attributes: ${TOO_DEEP}`;
  return count > ELEMENT_COUNT_MAX ? tooMany("attributes", count) : null;
}

function idFault(cursor: Cursor, name: string, size: number, start: number, length: number): string | null {
  if (length !== size) return `${name}: expected ${size} bytes, given ${length === 0 ? "none" : length}`;
  let bits = 0;
  for (let at = start; at < start + size; at += 4) bits |= cursor.view.getInt32(at);
  return bits === 0 ? `${name}: expected ${size} bytes that are not all zero, given zeros` : null;
}

function tooMany(name: string, count: number): string {
  return `${name}: expected at most ${ELEMENT_COUNT_MAX}, given ${count}`;
}
