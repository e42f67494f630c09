/**
 * Cuts a request that is larger than a record may be into several, by span; what spans share goes along with each of them.
 *
 *   [resource A [scope 1: s1 s2 s3] [scope 2: s4]]   ->   [A [1: s1 s2]]   [A [1: s3] [2: s4]]
 */
import { Cursor } from "@callchain/schemas/otlp/cursor.ts";
import { REQUEST, RESOURCE_SPANS, SCOPE_SPANS } from "@callchain/schemas/otlp/wire.ts";
import { ProtobufWriter } from "@callchain/schemas/otlp/writer.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";

/** What is repeated at each level: the resources of a request, the scopes of a resource, the spans of a scope. */
const PATH = [REQUEST.resourceSpans, RESOURCE_SPANS.scopeSpans, SCOPE_SPANS.spans];
/** A tag of one byte and a length of up to five. */
const FIELD_HEAD_BYTES = 6;
/** The request has been scanned: nothing is left to check. */
const NO_TYPES = new Uint8Array(0);

/**
 * Requests of at most `bytesMax` bytes that hold the spans of the scanned one in their order. Throws Failure "too_large" where a
 * single span does not fit together with its resource and scope.
 */
export function splitRequest(request: Uint8Array, bytesMax: number): Uint8Array[] {
  return splitMessage(request, PATH, bytesMax, bytesMax);
}

/** Contents of messages of at most `budget` bytes: each has all fields that are not repeated, and some of the repeated ones. */
function splitMessage(message: Uint8Array, path: readonly number[], budget: number, bytesMax: number): Uint8Array[] {
  const [repeated, ...inner] = path;
  const shared: Uint8Array[] = [];
  const elements: Uint8Array[] = [];
  const cursor = new Cursor();
  cursor.open(message);
  while (cursor.pos < message.length) {
    const start = cursor.pos;
    const isRepeated = message[start] === repeated;
    cursor.skipField(message.length, NO_TYPES);
    (isRepeated ? elements : shared).push(message.subarray(start, cursor.pos));
  }
  const room = budget - bytesOf(shared);
  const units = elements.flatMap((element) =>
    element.length <= room ? [element] : splitElement(element, inner, room, bytesMax),
  );
  return groupUnits(units, room).map((group) => concat([...shared, ...group]));
}

/** Fields of at most `room` bytes in place of one that is larger. */
function splitElement(element: Uint8Array, inner: readonly number[], room: number, bytesMax: number): Uint8Array[] {
  if (inner.length === 0 || room <= FIELD_HEAD_BYTES) {
    throw new Failure(
      "too_large",
      `a span of ${element.length} bytes does not fit into a record of ${bytesMax} bytes with its resource and scope`,
    );
  }
  const cursor = new Cursor();
  cursor.open(element);
  cursor.pos = 1;
  cursor.length(element.length);
  const content = element.subarray(cursor.pos);
  return splitMessage(content, inner, room - FIELD_HEAD_BYTES, bytesMax).map((piece) => {
    const writer = new ProtobufWriter(piece.length + FIELD_HEAD_BYTES);
    writer.bytesField(element[0] ?? 0, piece);
    return writer.finish();
  });
}

/** Neighbours together, up to `room` bytes; at least one group. */
function groupUnits(units: readonly Uint8Array[], room: number): Uint8Array[][] {
  const groups: Uint8Array[][] = [];
  let group: Uint8Array[] = [];
  let bytes = 0;
  for (const unit of units) {
    if (bytes > 0 && bytes + unit.length > room) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(unit);
    bytes += unit.length;
  }
  groups.push(group);
  return groups;
}

function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(bytesOf(parts));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
