/** Breaks an ExportTraceServiceRequest in protobuf where its structure can be broken; the rest stays as a real exporter wrote it. */
import { STRANGE_TEXTS, mutateBytes, repeatMax } from "./bytes.ts";
import type { Dice } from "../dice.ts";

/** Which fields hold messages: schemas/otlp/wire.ts has the whole format. */
const CHILDREN: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  Request: { 1: "ResourceSpans" },
  ResourceSpans: { 1: "Resource", 2: "ScopeSpans" },
  Resource: { 1: "KeyValue" },
  ScopeSpans: { 1: "Scope", 2: "Span" },
  Scope: { 3: "KeyValue" },
  Span: { 9: "KeyValue", 11: "Event", 13: "Link", 15: "Status" },
  Event: { 3: "KeyValue" },
  Link: { 4: "KeyValue" },
  KeyValue: { 2: "AnyValue" },
  AnyValue: { 5: "ArrayValue", 6: "KeyValueList" },
  ArrayValue: { 1: "AnyValue" },
  KeyValueList: { 1: "KeyValue" },
};

interface Field {
  number: number;
  wire: number;
  /** A varint, or the eight, four or counted bytes, or the fields of a message. */
  value: bigint | Buffer | Field[];
  /** The length on the wire, where it lies. */
  saysLength?: bigint;
}

/** One to three faults in a request that was well formed. */
export function mutateProtobuf(dice: Dice, request: Uint8Array): Buffer {
  if (dice.chance(20)) return mutateBytes(dice, request);
  const fields = parseMessage(Buffer.from(request), "Request");
  for (let count = 1 + dice.below(3); count > 0; count -= 1) mutateOne(dice, fields);
  return encodeMessage(fields);
}

function mutateOne(dice: Dice, root: Field[]): void {
  const siblings = dice.pick(listMessages(root));
  const field = siblings.length === 0 ? undefined : dice.pick(siblings);
  if (field === undefined) {
    siblings.push({ number: 1 + dice.below(40), wire: dice.below(8), value: dice.bytes(dice.below(20)) });
    return;
  }
  const again = siblings.indexOf(field);
  switch (dice.below(10)) {
    case 0:
      field.wire = dice.below(8);
      break;
    case 1:
      field.number = dice.pick([0, 1, 2, 3, 5, 9, 15, 16, 31, 32, 2 ** 28, 2 ** 29 - 1]);
      break;
    case 2:
      siblings.splice(again, 1);
      break;
    case 3:
      siblings.splice(again, 0, ...repeat(field, dice.chance(50)));
      break;
    case 4:
      field.saysLength = dice.pick([0n, 1n, 255n, 2n ** 20n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]);
      break;
    case 5:
      field.value = nestDeeply(dice.pick([31, 32, 33, 1000, 50_000]));
      field.number = 2;
      field.wire = 2;
      break;
    default:
      field.value = otherValue(dice, field);
  }
}

/** Copies as bytes: a later fault inside one is not in all of them. */
function repeat(field: Field, isOften: boolean): Field[] {
  const value = Array.isArray(field.value) ? encodeMessage(field.value) : field.value;
  const count = isOften ? repeatMax(encodeField(field).length) : 1;
  return Array.from({ length: count }, () => ({ ...field, value }));
}

function otherValue(dice: Dice, { value }: Field): Field["value"] {
  if (typeof value === "bigint") return dice.pick([0n, 1n, 6n, 255n, 2n ** 31n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 69n]);
  if (Array.isArray(value)) return dice.chance(50) ? [] : mutateBytes(dice, encodeMessage(value));
  switch (dice.below(5)) {
    case 0:
      // Ids of a wrong length, or zero, for one.
      return Buffer.alloc(dice.pick([0, 1, 7, 8, 9, 15, 16, 17, 64]));
    case 1:
      return Buffer.alloc(value.length, 0xff);
    case 2:
      return dice.bytes(value.length);
    case 3:
      return Buffer.from(dice.pick(STRANGE_TEXTS));
    default:
      return mutateBytes(dice, value);
  }
}

/** An AnyValue in an array in an array ... */
function nestDeeply(depth: number): Buffer {
  // Built from the inside out, back to front: each level is two tags and two lengths around the one before.
  const pieces: Buffer[] = [];
  let length = 0;
  const wrap = (tag: number): void => {
    const head = Buffer.from([tag, ...varint(BigInt(length))]);
    pieces.push(head);
    length += head.length;
  };
  for (let level = 0; level < depth; level += 1) {
    wrap(0x0a);
    wrap(0x2a);
  }
  return Buffer.concat(pieces.toReversed());
}

function listMessages(fields: Field[]): Field[][] {
  const all = [fields];
  for (const message of all) {
    for (const { value } of message) if (Array.isArray(value)) all.push(value);
  }
  return all;
}

function parseMessage(bytes: Buffer, name: string): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(readVarint());
    const number = tag >>> 3;
    const wire = tag & 7;
    const child = CHILDREN[name]?.[number];
    if (wire === 0) fields.push({ number, wire, value: readVarint() });
    else if (wire === 1) fields.push({ number, wire, value: take(8) });
    else if (wire === 5) fields.push({ number, wire, value: take(4) });
    else {
      const inner = take(Number(readVarint()));
      fields.push({ number, wire, value: child === undefined ? inner : parseMessage(inner, child) });
    }
  }
  return fields;
}

function encodeMessage(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(encodeField));
}

/** As its wire type says, whatever the value is. */
function encodeField({ number, wire, value, saysLength }: Field): Buffer {
  const tag = Buffer.from(varint((BigInt(number) << 3n) | BigInt(wire)));
  if (typeof value === "bigint" && wire === 0) return Buffer.concat([tag, Buffer.from(varint(value))]);
  const bytes = typeof value === "bigint" ? Buffer.from(varint(value)) : Array.isArray(value) ? encodeMessage(value) : value;
  if (wire !== 2) return Buffer.concat([tag, bytes]);
  return Buffer.concat([tag, Buffer.from(varint(saysLength ?? BigInt(bytes.length))), bytes]);
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}
