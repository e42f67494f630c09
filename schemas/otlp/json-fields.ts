/** The scalar fields and attributes of OTLP/JSON, each read, checked and written as protobuf. */
import { decodeBase64 } from "./base64.ts";
import { readArray, readInteger, readObject, type JsonObject, type JsonPath } from "./json-input.ts";
import { ANY_VALUE, KEY_VALUE, LIST } from "./wire.ts";
import type { ProtobufWriter } from "./writer.ts";

const UINT32 = { min: 0n, max: 2n ** 32n - 1n, words: "an integer from 0 to 4294967295" };
const UINT64 = { min: 0n, max: 2n ** 64n - 1n, words: "nanoseconds since 1970 as an integer from 0 to 2^64-1" };
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n, words: "a 64-bit integer" };
const INT32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n, words: "an enum number" };
const HEX = /^(?:[0-9a-fA-F]{2})*$/;

export function writeText(w: ProtobufWriter, tag: number, from: JsonObject, name: string, path: JsonPath): void {
  const value = from[name];
  if (value === undefined || value === null || value === "") return;
  if (typeof value !== "string") path.fail(name, "a string", value);
  w.stringField(tag, value);
}

/** A uint32; Span.flags and Link.flags are fixed32 on the wire. */
export function writeCount(w: ProtobufWriter, tag: number, from: JsonObject, name: string, path: JsonPath): void {
  const count = readInteger(from[name], name, UINT32, path);
  if (count === null || count === 0) return;
  if ((tag & 7) === 5) {
    w.fixed32Field(tag, Number(count));
  } else {
    w.varintField(tag, count);
  }
}

export function writeTime(w: ProtobufWriter, tag: number, from: JsonObject, name: string, path: JsonPath): void {
  const nano = readInteger(from[name], name, UINT64, path);
  if (nano !== null) w.fixed64Field(tag, BigInt(nano));
}

/** An enum: its number, or its name from `names`. Numbers unknown to us pass. */
export function writeEnum(
  w: ProtobufWriter,
  tag: number,
  from: JsonObject,
  name: string,
  names: readonly string[],
  path: JsonPath,
): void {
  const value = from[name];
  const named = typeof value === "string" ? names.indexOf(value) : -1;
  if (named < 0 && typeof value === "string" && !/^-?\d+$/.test(value)) {
    path.fail(name, `an integer or one of ${names.join(", ")}`, value);
  }
  const number = named >= 0 ? named : readInteger(value, name, INT32, path);
  if (number !== null && number !== 0) w.varintField(tag, number);
}

/** An id in hex; the empty string means none. */
export function writeId(w: ProtobufWriter, tag: number, from: JsonObject, name: string, size: number, path: JsonPath): void {
  const value = from[name];
  if (value === undefined || value === null || value === "") return;
  if (typeof value !== "string" || !HEX.test(value)) path.fail(name, `${size * 2} hex digits`, value);
  const bytes = new Uint8Array(value.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = (hexDigit(value.charCodeAt(at * 2)) << 4) | hexDigit(value.charCodeAt(at * 2 + 1));
  }
  w.bytesField(tag, bytes);
}

/** Of a character known to be a hex digit in either case: letters have bit 6 set, and 9 is missing to their value. */
function hexDigit(code: number): number {
  return (code & 0xf) + (code >> 6) * 9;
}

/** A list of KeyValue. */
export function writeAttributes(w: ProtobufWriter, tag: number, from: JsonObject, name: string, path: JsonPath): void {
  const items = readArray(from[name], name, path);
  for (let index = 0; index < items.length; index++) {
    path.push(name, index);
    const item = readObject(items[index], path);
    const keyValue = w.begin(tag);
    writeText(w, KEY_VALUE.key, item, "key", path);
    if (item["value"] !== undefined && item["value"] !== null) {
      path.push("value", -1);
      const value = w.begin(KEY_VALUE.value);
      writeAnyValue(w, readObject(item["value"], path), path);
      w.end(value);
      path.pop();
    }
    w.end(keyValue);
    path.pop();
  }
}

function writeAnyValue(w: ProtobufWriter, value: JsonObject, path: JsonPath): void {
  const { stringValue, intValue, doubleValue, boolValue, arrayValue, kvlistValue, bytesValue } = value;
  if (isGiven(stringValue)) {
    if (typeof stringValue !== "string") path.fail("stringValue", "a string", stringValue);
    w.stringField(ANY_VALUE.stringValue, stringValue);
  } else if (isGiven(intValue)) {
    w.varintField(ANY_VALUE.intValue, readInteger(intValue, "intValue", INT64, path) ?? 0);
  } else if (isGiven(boolValue)) {
    if (typeof boolValue !== "boolean") path.fail("boolValue", "true or false", boolValue);
    w.varintField(ANY_VALUE.boolValue, boolValue ? 1 : 0);
  } else if (isGiven(doubleValue)) {
    w.doubleField(ANY_VALUE.doubleValue, readDouble(doubleValue, path));
  } else if (isGiven(bytesValue)) {
    const bytes = typeof bytesValue === "string" ? decodeBase64(bytesValue) : null;
    w.bytesField(ANY_VALUE.bytesValue, bytes ?? path.fail("bytesValue", "base64", bytesValue));
  } else if (isGiven(arrayValue)) {
    path.push("arrayValue", -1);
    writeList(w, readObject(arrayValue, path), path);
    path.pop();
  } else if (isGiven(kvlistValue)) {
    path.push("kvlistValue", -1);
    const list = w.begin(ANY_VALUE.kvlistValue);
    writeAttributes(w, LIST.values, readObject(kvlistValue, path), "values", path);
    w.end(list);
    path.pop();
  }
}

function writeList(w: ProtobufWriter, from: JsonObject, path: JsonPath): void {
  const list = w.begin(ANY_VALUE.arrayValue);
  const items = readArray(from["values"], "values", path);
  for (let index = 0; index < items.length; index++) {
    path.push("values", index);
    const item = w.begin(LIST.values);
    writeAnyValue(w, readObject(items[index], path), path);
    w.end(item);
    path.pop();
  }
  w.end(list);
}

/** A number, its digits as a string, or "NaN", "Infinity", "-Infinity". */
function readDouble(value: unknown, path: JsonPath): number {
  if (typeof value === "number") return value;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
  if (Number.isNaN(number) && value !== "NaN") path.fail("doubleValue", "a number", value);
  return number;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
