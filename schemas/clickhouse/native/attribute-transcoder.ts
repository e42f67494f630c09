/** Attributes of spans into the typed maps `attr_word`, `attr_string`, `attr_int`, `attr_double` and `attr_json`. */
import type { Cursor } from "../../otlp/cursor.ts";
import { ANY_VALUE, KEY_VALUE, KEY_VALUE_TYPES } from "../../otlp/wire.ts";
import { WORD_KEYS } from "../word-keys.ts";
import type { SpanColumns } from "./span-columns.ts";
import { locateValue, ValueJson, type LocatedValue } from "./value-json.ts";

export class AttributeTranscoder {
  private readonly cursor: Cursor;
  private readonly columns: SpanColumns;
  private readonly json: ValueJson;
  private readonly located: LocatedValue = { tag: 0, start: 0, end: 0 };

  constructor(cursor: Cursor, columns: SpanColumns) {
    this.cursor = cursor;
    this.columns = columns;
    this.json = new ValueJson(cursor, columns.repairs);
  }

  /** Appends the KeyValue in [start, end). `cursor.pos` is anywhere afterwards. */
  append(start: number, end: number): void {
    const { bytes } = this.cursor;
    // What every exporter sends: a short key, then the value, which fills the rest.
    const keyLength = bytes[start + 1] ?? 0;
    const next = start + 2 + keyLength;
    if (bytes[start] === KEY_VALUE.key && keyLength < 0x80 && next + 2 <= end && bytes[next] === KEY_VALUE.value) {
      const valueLength = bytes[next + 1] ?? 0;
      if (valueLength < 0x80 && next + 2 + valueLength === end) {
        this.appendPair(start + 2, keyLength, next + 2, end);
        return;
      }
    }
    this.appendAny(start, end);
  }

  /** Ends the row: everything appended since the last one is its. */
  endRow(): void {
    const { columns } = this;
    columns.wordOffsets.push64(columns.wordKeys.count, 0);
    columns.stringOffsets.push64(columns.stringKeys.count, 0);
    columns.intOffsets.push64(columns.intKeys.count, 0);
    columns.doubleOffsets.push64(columns.doubleKeys.count, 0);
    columns.jsonOffsets.push64(columns.jsonKeys.count, 0);
  }

  private appendAny(start: number, end: number): void {
    const { cursor } = this;
    let keyStart = 0;
    let keyLength = 0;
    let valueStart = 0;
    let valueEnd = 0;
    cursor.pos = start;
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === KEY_VALUE.key) {
        cursor.pos++;
        keyLength = cursor.length(end);
        keyStart = cursor.pos;
        cursor.pos += keyLength;
      } else if (tag === KEY_VALUE.value) {
        cursor.pos++;
        const length = cursor.length(end);
        valueStart = cursor.pos;
        valueEnd = valueStart + length;
        cursor.pos = valueEnd;
      } else {
        cursor.skipField(end, KEY_VALUE_TYPES);
      }
    }
    this.appendPair(keyStart, keyLength, valueStart, valueEnd);
  }

  private appendPair(keyStart: number, keyLength: number, start: number, end: number): void {
    const { columns, cursor } = this;
    const { bytes, view } = cursor;
    // A short text that fills its value.
    const length = bytes[start + 1] ?? 0;
    if (bytes[start] === ANY_VALUE.stringValue && length < 0x80 && start + 2 + length === end) {
      this.appendText(keyStart, keyLength, start + 2, length);
      return;
    }
    // An empty value ends where it begins: what stands there is of the next field.
    if (start < end && bytes[start] === ANY_VALUE.intValue) {
      cursor.pos = start + 1;
      cursor.varint(end);
      if (cursor.pos === end) {
        columns.intKeys.pushExpected(bytes, view, keyStart, keyLength);
        columns.intValues.push64(cursor.low, cursor.high);
        return;
      }
    }
    this.appendLocated(keyStart, keyLength, start, end);
  }

  private appendText(keyStart: number, keyLength: number, start: number, length: number): void {
    const { columns, cursor } = this;
    const { bytes, view } = cursor;
    const key = columns.stringKeys.internExpected(bytes, view, keyStart, keyLength);
    if (key < WORD_KEYS.length) {
      columns.wordKeys.pushIndex(key);
      columns.wordValues.push(bytes, view, start, length);
    } else {
      columns.stringKeys.pushIndex(key);
      columns.stringValues.push(bytes, view, start, length);
    }
  }

  private appendLocated(keyStart: number, keyLength: number, start: number, end: number): void {
    const { columns, cursor, located } = this;
    const { bytes, view } = cursor;
    locateValue(cursor, start, end, located);
    switch (located.tag) {
      case ANY_VALUE.stringValue:
        this.appendText(keyStart, keyLength, located.start, located.end - located.start);
        return;
      case ANY_VALUE.intValue:
        columns.intKeys.pushExpected(bytes, view, keyStart, keyLength);
        cursor.pos = located.start;
        cursor.varint(end);
        columns.intValues.push64(cursor.low, cursor.high);
        return;
      case ANY_VALUE.doubleValue:
        columns.doubleKeys.pushExpected(bytes, view, keyStart, keyLength);
        columns.doubleValues.pushBytes(view, located.start);
        return;
      default:
        columns.jsonKeys.pushExpected(bytes, view, keyStart, keyLength);
        this.json.writeOnly(located);
        columns.jsonValues.push(this.json.bytes, this.json.view, 0, this.json.size);
    }
  }
}
