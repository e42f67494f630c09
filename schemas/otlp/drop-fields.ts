/** Takes fields out of a request that has been scanned, and mends the lengths of the messages around them. */
import { Cursor } from "./cursor.ts";
import { REQUEST, RESOURCE_SPANS } from "./wire.ts";
import { ProtobufWriter } from "./writer.ts";

/**
 * A copy of the request without the fields whose byte ranges (tag included) are in `dropped`: start and end in turn, rising, each a
 * ResourceSpans, a ScopeSpans or a Span.
 */
export function dropFields(request: Uint8Array, dropped: readonly number[]): Uint8Array {
  const cursor = new Cursor();
  cursor.open(request);
  const writer = new ProtobufWriter(request.length);
  new FieldDropper(cursor, writer, dropped).copy(request.length, [REQUEST.resourceSpans, RESOURCE_SPANS.scopeSpans]);
  return writer.finish();
}

class FieldDropper {
  private readonly cursor: Cursor;
  private readonly writer: ProtobufWriter;
  private readonly dropped: readonly number[];
  private next = 0;

  constructor(cursor: Cursor, writer: ProtobufWriter, dropped: readonly number[]) {
    this.cursor = cursor;
    this.writer = writer;
    this.dropped = dropped;
  }

  /** Copies the fields from `cursor.pos` to `end`. `path`: tags of the messages to look into, this level's first. */
  copy(end: number, path: readonly number[]): void {
    const { cursor, writer } = this;
    const [container, ...inner] = path;
    while (cursor.pos < end) {
      const start = cursor.pos;
      const isContainer = cursor.bytes[start] === container;
      if (start === this.dropped[this.next]) {
        cursor.pos = this.dropped[this.next + 1] ?? end;
        this.next += 2;
        continue;
      }
      cursor.skipField(end, NO_TYPES);
      const fieldEnd = cursor.pos;
      if (isContainer && container !== undefined && (this.dropped[this.next] ?? Infinity) < fieldEnd) {
        cursor.pos = start + 1;
        const contentEnd = cursor.length(end) + cursor.pos;
        const mark = writer.begin(container);
        this.copy(contentEnd, inner);
        writer.end(mark);
      } else {
        writer.raw(cursor.bytes.subarray(start, fieldEnd));
      }
    }
  }
}

/** The request has been scanned: nothing is left to check. */
const NO_TYPES = new Uint8Array(0);
