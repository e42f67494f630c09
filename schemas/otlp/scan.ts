/**
 * The check before the log: everything that would keep a request from being stored later is found here, so that the sender hears of
 * it. Good requests are only read, never copied.
 *
 *   fault                                                    answer
 *   framing: lengths, wire types, numbers cut off            InvalidError for the whole request
 *   ids of a span or of its links, depth, too many elements  that span is left out and counted
 *   depth or too many elements in a resource or scope        every span of it is left out and counted
 */
import { InvalidError } from "../span/errors.ts";
import { Cursor } from "./cursor.ts";
import { dropFields } from "./drop-fields.ts";
import { scanAttributed, SpanScanner } from "./scan-span.ts";
import {
  REQUEST,
  REQUEST_TYPES,
  RESOURCE,
  RESOURCE_SPANS,
  RESOURCE_SPANS_TYPES,
  RESOURCE_TYPES,
  SCOPE,
  SCOPE_SPANS,
  SCOPE_SPANS_TYPES,
  SCOPE_TYPES,
} from "./wire.ts";

export interface ScannedRequest {
  /** The input itself unless spans were left out; then a new request without them. */
  readonly request: Uint8Array;
  /** Spans that `request` holds. 0: there is nothing to store. */
  readonly spanCount: number;
  /** Spans that were left out. */
  readonly rejectedSpanCount: number;
  /** Why the first one was left out, naming its place; null when none was. */
  readonly rejection: string | null;
}

/**
 * Checks an ExportTraceServiceRequest in protobuf. Throws InvalidError that names the place when the bytes are not such a message.
 */
export function scanRequest(bytes: Uint8Array): ScannedRequest {
  return scanner.scan(bytes);
}

class RequestScanner {
  private readonly cursor = new Cursor();
  private readonly spanScanner = new SpanScanner(this.cursor);
  private spanCount = 0;
  private rejectedSpanCount = 0;
  private rejection: string | null = null;
  /** Byte ranges, start and end in turn, of the fields to leave out; none lies within another. */
  private dropped: number[] = [];
  private resourceIndex = -1;
  private scopeIndex = -1;
  private spanIndex = -1;

  scan(bytes: Uint8Array): ScannedRequest {
    this.spanCount = 0;
    this.rejectedSpanCount = 0;
    this.rejection = null;
    this.dropped = [];
    this.resourceIndex = -1;
    this.scopeIndex = -1;
    this.spanIndex = -1;
    const { cursor } = this;
    cursor.open(bytes);
    try {
      this.scanFields(bytes.length);
    } catch (error) {
      if (!(error instanceof InvalidError)) throw error;
      throw new InvalidError(`${this.place()}: ${error.message}`, { cause: error });
    } finally {
      cursor.close();
    }
    return {
      request: this.dropped.length === 0 ? bytes : dropFields(bytes, this.dropped),
      spanCount: this.spanCount,
      rejectedSpanCount: this.rejectedSpanCount,
      rejection: this.rejection,
    };
  }

  private scanFields(end: number): void {
    const { cursor } = this;
    while (cursor.pos < end) {
      const start = cursor.pos;
      if (cursor.bytes[start] === REQUEST.resourceSpans) {
        cursor.pos++;
        const length = cursor.length(end);
        this.resourceIndex++;
        this.scopeIndex = -1;
        this.scanResourceSpans(start, cursor.pos + length);
      } else {
        cursor.skipField(end, REQUEST_TYPES);
      }
    }
  }

  private scanResourceSpans(fieldStart: number, end: number): void {
    const { cursor } = this;
    const droppedBefore = this.dropped.length;
    const acceptedBefore = this.spanCount;
    let fault: string | null = null;
    while (cursor.pos < end) {
      const start = cursor.pos;
      const tag = cursor.bytes[start] ?? 0;
      if (tag === RESOURCE_SPANS.scopeSpans) {
        cursor.pos++;
        const length = cursor.length(end);
        this.scopeIndex++;
        this.scanScopeSpans(start, cursor.pos + length);
      } else if (tag === RESOURCE_SPANS.resource) {
        cursor.pos++;
        const length = cursor.length(end);
        fault ??= scanAttributed(cursor, cursor.pos + length, RESOURCE.attributes, RESOURCE_TYPES);
      } else {
        cursor.skipField(end, RESOURCE_SPANS_TYPES);
      }
    }
    this.scopeIndex = -1;
    if (fault !== null) this.leaveOut(`resource.${fault}`, fieldStart, end, acceptedBefore, droppedBefore);
  }

  private scanScopeSpans(fieldStart: number, end: number): void {
    const { cursor } = this;
    const droppedBefore = this.dropped.length;
    const acceptedBefore = this.spanCount;
    let fault: string | null = null;
    while (cursor.pos < end) {
      const start = cursor.pos;
      const tag = cursor.bytes[start] ?? 0;
      if (tag === SCOPE_SPANS.spans) {
        cursor.pos++;
        const spanEnd = cursor.length(end) + cursor.pos;
        this.spanIndex++;
        const spanFault = this.spanScanner.scan(spanEnd);
        this.spanCount++;
        if (spanFault !== null) this.leaveOut(spanFault, start, spanEnd, this.spanCount - 1, this.dropped.length);
      } else if (tag === SCOPE_SPANS.scope) {
        cursor.pos++;
        const length = cursor.length(end);
        fault ??= scanAttributed(cursor, cursor.pos + length, SCOPE.attributes, SCOPE_TYPES);
      } else {
        cursor.skipField(end, SCOPE_SPANS_TYPES);
      }
    }
    this.spanIndex = -1;
    if (fault !== null) this.leaveOut(`scope.${fault}`, fieldStart, end, acceptedBefore, droppedBefore);
  }

  /** Leaves out a field with the spans accepted within it since `acceptedBefore`. */
  private leaveOut(fault: string, start: number, end: number, acceptedBefore: number, droppedBefore: number): void {
    this.rejectedSpanCount += this.spanCount - acceptedBefore;
    this.spanCount = acceptedBefore;
    this.rejection ??= `${this.place()}.${fault}`;
    this.dropped.length = droppedBefore;
    this.dropped.push(start, end);
  }

  /** As OTLP/JSON would name it: `resourceSpans[0].scopeSpans[0].spans[3]`. */
  private place(): string {
    if (this.resourceIndex < 0) return "request";
    const resource = `resourceSpans[${this.resourceIndex}]`;
    if (this.scopeIndex < 0) return resource;
    const scope = `${resource}.scopeSpans[${this.scopeIndex}]`;
    return this.spanIndex < 0 ? scope : `${scope}.spans[${this.spanIndex}]`;
  }
}

const scanner = new RequestScanner();
