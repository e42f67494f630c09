/**
 * Canonical JSON (schemas/otlp/canonical-json.ts) straight from wire bytes, into one reused buffer. Used for what is rare or the same
 * over and over: resources, scopes, events, links, and attribute values that are neither strings nor numbers.
 */
import { formatDouble } from "../../otlp/canonical-json.ts";
import type { Cursor } from "../../otlp/cursor.ts";
import { isUtf8, repairUtf8 } from "../../otlp/utf8.ts";
import { ANY_VALUE, ANY_VALUE_TYPES, KEY_VALUE, KEY_VALUE_TYPES, LIST, LIST_TYPES } from "../../otlp/wire.ts";
import { VALUE_DEPTH_MAX } from "../../otlp/wire.ts";
import type { Repairs } from "./columns.ts";
import { viewOf } from "./view.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const DOLLAR = 0x24;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** Two-character escapes by character; 0: \u00xx. */
const SHORT_ESCAPES = new Uint8Array(0x60);
for (const [character, escape] of ["\bb", "\tt", "\nn", "\ff", "\rr", '""', "\\\\"]) {
  SHORT_ESCAPES[(character ?? "").charCodeAt(0)] = (escape ?? "").charCodeAt(0);
}

/** Which field of an AnyValue holds, and where. */
export interface LocatedValue {
  /** Tag of the field, or 0 for an empty value. */
  tag: number;
  /** Of the field's content, for a varint its first byte. */
  start: number;
  end: number;
}

/** Finds the last known field in the AnyValue of [start, end): in a oneof the last one holds. */
export function locateValue(cursor: Cursor, start: number, end: number, found: LocatedValue): void {
  found.tag = 0;
  cursor.pos = start;
  while (cursor.pos < end) {
    const tag = cursor.bytes[cursor.pos] ?? 0;
    const wireType = ANY_VALUE_TYPES[tag >>> 3] ?? 0xff;
    if (tag > 0x7f || wireType === 0xff || wireType !== (tag & 7)) {
      cursor.skipField(end, ANY_VALUE_TYPES);
      continue;
    }
    found.tag = tag;
    if (wireType === 2) {
      cursor.pos++;
      const length = cursor.length(end);
      found.start = cursor.pos;
      cursor.pos += length;
    } else {
      found.start = cursor.pos + 1;
      cursor.skipField(end, ANY_VALUE_TYPES);
    }
    found.end = cursor.pos;
  }
}

export class ValueJson {
  bytes = new Uint8Array(4096);
  view = viewOf(this.bytes);
  size = 0;
  private readonly cursor: Cursor;
  private readonly repairs: Repairs;
  private memberCount = 0;

  constructor(cursor: Cursor, repairs: Repairs) {
    this.cursor = cursor;
    this.repairs = repairs;
  }

  /** Begins a new object. */
  openObject(): void {
    this.size = 0;
    this.memberCount = 0;
    this.byte(OPEN_BRACE);
  }

  closeObject(): void {
    this.byte(CLOSE_BRACE);
  }

  /** Begins a text that is one value. */
  writeOnly(value: LocatedValue): void {
    this.size = 0;
    this.value(value.tag, value.start, value.end, 1);
  }

  /** A mark such as "$schema" with a text. */
  textMark(name: string, start: number, end: number): void {
    this.mark(name);
    this.string(start, end);
  }

  numberMark(name: string, value: number): void {
    this.mark(name);
    this.ascii(String(value));
  }

  private mark(name: string): void {
    if (this.memberCount++ > 0) this.byte(COMMA);
    this.ascii(`"$${name}":`);
  }

  /** The KeyValue in [start, end) as a member of the open object. */
  attribute(start: number, end: number): void {
    if (this.memberCount++ > 0) this.byte(COMMA);
    this.member(start, end, 1);
  }

  private member(start: number, end: number, depth: number): void {
    const { cursor } = this;
    let keyStart = 0;
    let keyEnd = 0;
    let valueStart = 0;
    let valueEnd = 0;
    cursor.pos = start;
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === KEY_VALUE.key) {
        cursor.pos++;
        keyEnd = cursor.length(end) + cursor.pos;
        keyStart = cursor.pos;
        cursor.pos = keyEnd;
      } else if (tag === KEY_VALUE.value) {
        cursor.pos++;
        valueEnd = cursor.length(end) + cursor.pos;
        valueStart = cursor.pos;
        cursor.pos = valueEnd;
      } else {
        cursor.skipField(end, KEY_VALUE_TYPES);
      }
    }
    this.key(keyStart, keyEnd);
    this.byte(COLON);
    this.anyValue(valueStart, valueEnd, depth);
  }

  private key(start: number, end: number): void {
    const at = this.size;
    this.string(start, end);
    if (start === end || this.cursor.bytes[start] !== DOLLAR) return;
    // A key that begins with "$" gets a second one.
    this.reserve(1);
    this.bytes.copyWithin(at + 2, at + 1, this.size);
    this.bytes[at + 1] = DOLLAR;
    this.size++;
  }

  private anyValue(start: number, end: number, depth: number): void {
    const located: LocatedValue = { tag: 0, start: 0, end: 0 };
    locateValue(this.cursor, start, end, located);
    this.value(located.tag, located.start, located.end, depth);
  }

  private value(tag: number, start: number, end: number, depth: number): void {
    const { cursor } = this;
    if (depth > VALUE_DEPTH_MAX) cursor.failAt(start, `a value nests deeper than ${VALUE_DEPTH_MAX}`);
    switch (tag) {
      case ANY_VALUE.stringValue:
        this.string(start, end);
        return;
      case ANY_VALUE.boolValue:
        cursor.pos = start;
        cursor.varint(end);
        this.ascii((cursor.low | cursor.high) === 0 ? "false" : "true");
        return;
      case ANY_VALUE.intValue:
        this.integer(start, end);
        return;
      case ANY_VALUE.doubleValue:
        this.ascii(formatDouble(cursor.view.getFloat64(start, true)));
        return;
      case ANY_VALUE.arrayValue:
        this.list(start, end, false, depth + 1);
        return;
      case ANY_VALUE.kvlistValue:
        this.list(start, end, true, depth + 1);
        return;
      case ANY_VALUE.bytesValue:
        this.ascii(`{"$bytes":"${Buffer.from(cursor.bytes.subarray(start, end)).toString("base64")}"}`);
        return;
      default:
        this.ascii("null");
    }
  }

  private integer(start: number, end: number): void {
    const { cursor } = this;
    cursor.pos = start;
    cursor.varint(end);
    const { low, high } = cursor;
    if (high === low >> 31) {
      this.ascii(String(low));
    } else {
      this.ascii(((BigInt(high) << 32n) | BigInt(low >>> 0)).toString());
    }
  }

  private list(start: number, end: number, isKeyed: boolean, depth: number): void {
    const { cursor } = this;
    this.byte(isKeyed ? OPEN_BRACE : OPEN_BRACKET);
    let pos = start;
    let count = 0;
    while (pos < end) {
      cursor.pos = pos;
      if (cursor.bytes[pos] !== LIST.values) {
        cursor.skipField(end, LIST_TYPES);
        pos = cursor.pos;
        continue;
      }
      cursor.pos++;
      pos = cursor.length(end) + cursor.pos;
      if (count++ > 0) this.byte(COMMA);
      if (isKeyed) {
        this.member(cursor.pos, pos, depth);
      } else {
        this.anyValue(cursor.pos, pos, depth);
      }
    }
    this.byte(isKeyed ? CLOSE_BRACE : CLOSE_BRACKET);
  }

  private string(start: number, end: number): void {
    const { bytes } = this.cursor;
    const before = this.size;
    if (this.quote(bytes, start, end) < 0x80 || isUtf8(bytes, start, end)) return;
    this.size = before;
    this.repairs.count++;
    const repaired = repairUtf8(bytes.subarray(start, end));
    this.quote(repaired, 0, repaired.length);
  }

  /** Writes the bytes as a JSON string; all of them joined by OR. */
  private quote(source: Uint8Array, start: number, end: number): number {
    // A character takes at most the 6 bytes of \u00xx.
    this.reserve((end - start) * 6 + 2);
    const { bytes } = this;
    let at = this.size;
    let bits = 0;
    bytes[at++] = QUOTE;
    for (let from = start; from < end; from++) {
      const byte = source[from] ?? 0;
      bits |= byte;
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) {
        bytes[at++] = byte;
        continue;
      }
      bytes[at++] = BACKSLASH;
      const escape = SHORT_ESCAPES[byte] ?? 0;
      if (escape !== 0) {
        bytes[at++] = escape;
        continue;
      }
      const code = byte.toString(16).padStart(4, "0");
      bytes[at++] = 0x75;
      for (let digit = 0; digit < 4; digit++) bytes[at++] = code.charCodeAt(digit);
    }
    bytes[at++] = QUOTE;
    this.size = at;
    return bits;
  }

  private ascii(text: string): void {
    this.reserve(text.length);
    for (let index = 0; index < text.length; index++) this.bytes[this.size++] = text.charCodeAt(index);
  }

  private byte(byte: number): void {
    this.reserve(1);
    this.bytes[this.size++] = byte;
  }

  private reserve(count: number): void {
    if (this.bytes.length - this.size >= count) return;
    const grown = new Uint8Array(Math.max(this.size + count, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.size));
    this.bytes = grown;
    this.view = viewOf(grown);
  }
}
