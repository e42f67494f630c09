/** The part of the scan that reads attributes: their framing, and how deep their values nest. */
import type { Cursor } from "./cursor.ts";
import { ANY_VALUE, ANY_VALUE_TYPES, KEY_VALUE, KEY_VALUE_TYPES, LIST, LIST_TYPES, VALUE_DEPTH_MAX } from "./wire.ts";

/**
 * Reads the KeyValue in [start, end). True when it can be stored, false when a value nests too deep; throws InvalidError when the
 * framing is broken. Leaves `cursor.pos` anywhere.
 */
export function scanKeyValue(cursor: Cursor, start: number, end: number, depth: number): boolean {
  const { bytes } = cursor;
  // What every exporter sends: a short key, then the value up to the end.
  if (bytes[start] === KEY_VALUE.key) {
    const keyLength = bytes[start + 1] ?? 0;
    const next = start + 2 + keyLength;
    if (keyLength < 0x80 && next + 2 <= end && bytes[next] === KEY_VALUE.value) {
      const valueLength = bytes[next + 1] ?? 0;
      const valueStart = next + 2;
      if (valueLength < 0x80 && valueStart + valueLength === end) {
        // A string that fills its value needs no further look.
        if (bytes[valueStart] === ANY_VALUE.stringValue && (bytes[valueStart + 1] ?? 0) + 2 === valueLength) return true;
        return scanAnyValue(cursor, valueStart, end, depth);
      }
    }
  }
  return scanAnyKeyValue(cursor, start, end, depth);
}

function scanAnyKeyValue(cursor: Cursor, start: number, end: number, depth: number): boolean {
  let shallow = true;
  cursor.pos = start;
  while (cursor.pos < end) {
    if (cursor.bytes[cursor.pos] === KEY_VALUE.value) {
      cursor.pos++;
      const valueEnd = cursor.length(end) + cursor.pos;
      shallow = scanAnyValue(cursor, cursor.pos, valueEnd, depth) && shallow;
      cursor.pos = valueEnd;
    } else {
      cursor.skipField(end, KEY_VALUE_TYPES);
    }
  }
  return shallow;
}

/** As `scanKeyValue`, for an AnyValue. What lies deeper than the limit is not looked at: it is left out anyway. */
function scanAnyValue(cursor: Cursor, start: number, end: number, depth: number): boolean {
  if (depth > VALUE_DEPTH_MAX) return false;
  let shallow = true;
  cursor.pos = start;
  while (cursor.pos < end) {
    const tag = cursor.bytes[cursor.pos] ?? 0;
    if (tag === ANY_VALUE.arrayValue || tag === ANY_VALUE.kvlistValue) {
      cursor.pos++;
      const listEnd = cursor.length(end) + cursor.pos;
      shallow = scanList(cursor, listEnd, tag === ANY_VALUE.kvlistValue, depth + 1) && shallow;
      cursor.pos = listEnd;
    } else {
      cursor.skipField(end, ANY_VALUE_TYPES);
    }
  }
  return shallow;
}

function scanList(cursor: Cursor, end: number, keyed: boolean, depth: number): boolean {
  let shallow = true;
  while (cursor.pos < end) {
    if (cursor.bytes[cursor.pos] === LIST.values) {
      cursor.pos++;
      const valueEnd = cursor.length(end) + cursor.pos;
      const scanned = keyed
        ? scanKeyValue(cursor, cursor.pos, valueEnd, depth)
        : scanAnyValue(cursor, cursor.pos, valueEnd, depth);
      shallow = scanned && shallow;
      cursor.pos = valueEnd;
    } else {
      cursor.skipField(end, LIST_TYPES);
    }
  }
  return shallow;
}
