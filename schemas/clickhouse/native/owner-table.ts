/**
 * Resources and scopes come with every request and are nearly always ones seen before. They are recognised by their bytes; canonical
 * JSON is made once for each, and the block's dictionary is asked once for each and block.
 */
import { Cursor } from "../../otlp/cursor.ts";
import { ANY_VALUE, KEY_VALUE, RESOURCE, RESOURCE_TYPES, SCOPE, SCOPE_TYPES } from "../../otlp/wire.ts";
import { ByteTable } from "./byte-table.ts";
import type { LowCardinalityColumn, Repairs } from "./columns.ts";
import { locateValue, ValueJson, type LocatedValue } from "./value-json.ts";
import { viewOf } from "./view.ts";

const NO_BYTES = new Uint8Array(0);
const NO_LENGTH = new Uint8Array(4);
const KNOWN_COUNT_MAX = 8192;
const KNOWN_BYTES_MAX = 16 << 20;
const SERVICE_NAME = new TextEncoder().encode("service.name");
const UNKNOWN_SERVICE = new TextEncoder().encode("unknown_service");

/** A resource or scope that has been seen. */
export interface KnownOwner {
  readonly json: Uint8Array;
  /** Empty for a scope. */
  readonly service: Uint8Array;
  /** Whether a text in it had to be repaired. */
  readonly isRepaired: boolean;
  /** Block for which the indexes below hold. */
  block: number;
  jsonIndex: number;
  serviceIndex: number;
}

export class OwnerTable {
  private readonly kind: "resource" | "scope";
  private readonly jsonColumn: LowCardinalityColumn;
  private readonly serviceColumn: LowCardinalityColumn | null;
  private readonly table = new ByteTable();
  private known: KnownOwner[] = [];
  /** Of [message][schema URL][length of the message, 4 bytes]. */
  private key = new Uint8Array(4096);
  private keyView = viewOf(this.key);
  private keySize = 0;
  private messageSize = 0;
  private schemaUrl: Uint8Array = NO_BYTES;
  private readonly cursor = new Cursor();
  private readonly repairs: Repairs = { count: 0 };
  private readonly json = new ValueJson(this.cursor, this.repairs);

  /** `serviceColumn` is given for resources, which carry `service.name`. */
  constructor(jsonColumn: LowCardinalityColumn, serviceColumn: LowCardinalityColumn | null) {
    this.kind = serviceColumn === null ? "scope" : "resource";
    this.jsonColumn = jsonColumn;
    this.serviceColumn = serviceColumn;
  }

  /** Begins with nothing known. */
  open(): void {
    this.keySize = 0;
    this.schemaUrl = NO_BYTES;
  }

  /** Adds the message's bytes; a message that is sent in several pieces is their concatenation, as protobuf has it. */
  append(source: Uint8Array, start: number, length: number): void {
    if (this.key.length - this.keySize < length) {
      const grown = new Uint8Array(Math.max(this.keySize + length, this.key.length * 2));
      grown.set(this.key.subarray(0, this.keySize));
      this.key = grown;
      this.keyView = viewOf(grown);
    }
    this.key.set(source.subarray(start, start + length), this.keySize);
    this.keySize += length;
  }

  /** The schema URL that stands beside the message. */
  setSchemaUrl(source: Uint8Array, start: number, length: number): void {
    this.schemaUrl = source.subarray(start, start + length);
  }

  private closeKey(): void {
    this.messageSize = this.keySize;
    this.append(this.schemaUrl, 0, this.schemaUrl.length);
    this.append(NO_LENGTH, 0, 4);
    this.keyView.setInt32(this.keySize - 4, this.messageSize);
    this.schemaUrl = NO_BYTES;
  }

  /** The owner whose bytes were given, with its indexes in the block of this number. */
  resolve(block: number): KnownOwner {
    this.closeKey();
    const index = this.table.find(this.key, this.keyView, 0, this.keySize);
    const owner = this.known[index] ?? this.add();
    if (owner.block !== block) {
      owner.block = block;
      owner.jsonIndex = this.jsonColumn.intern(owner.json, viewOf(owner.json), 0, owner.json.length);
      if (this.serviceColumn !== null) {
        owner.serviceIndex = this.serviceColumn.intern(owner.service, viewOf(owner.service), 0, owner.service.length);
      }
    }
    return owner;
  }

  private add(): KnownOwner {
    const owner = this.build();
    if (this.table.count >= KNOWN_COUNT_MAX || this.table.byteCount >= KNOWN_BYTES_MAX) {
      this.table.reset();
      this.known = [];
      this.table.find(this.key, this.keyView, 0, this.keySize);
    }
    this.known[this.table.add(this.key, 0, this.keySize)] = owner;
    return owner;
  }

  private build(): KnownOwner {
    const repairedBefore = this.repairs.count;
    const schemaEnd = this.keySize - 4;
    this.cursor.open(this.key);
    this.json.openObject();
    const service = this.kind === "resource" ? this.writeResource() : this.writeScope();
    if (schemaEnd > this.messageSize) this.json.textMark("schema", this.messageSize, schemaEnd);
    this.json.closeObject();
    return {
      json: this.json.bytes.slice(0, this.json.size),
      service,
      isRepaired: this.repairs.count > repairedBefore,
      block: -1,
      jsonIndex: 0,
      serviceIndex: 0,
    };
  }

  private writeResource(): Uint8Array {
    const { cursor, json } = this;
    const end = this.messageSize;
    let service: Uint8Array | null = null;
    let dropped = 0;
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === RESOURCE.attributes) {
        cursor.pos++;
        const fieldEnd = cursor.length(end) + cursor.pos;
        const fieldStart = cursor.pos;
        service ??= readServiceName(cursor, fieldStart, fieldEnd);
        json.attribute(fieldStart, fieldEnd);
        cursor.pos = fieldEnd;
      } else if (tag === RESOURCE.droppedAttributesCount) {
        cursor.pos++;
        dropped = cursor.varint(end);
      } else {
        cursor.skipField(end, RESOURCE_TYPES);
      }
    }
    if (dropped > 0) json.numberMark("dropped", dropped);
    return service ?? UNKNOWN_SERVICE;
  }

  private writeScope(): Uint8Array {
    const { cursor, json } = this;
    const end = this.messageSize;
    let dropped = 0;
    let [nameStart, nameEnd, versionStart, versionEnd] = [0, 0, 0, 0];
    while (cursor.pos < end) {
      const tag = cursor.bytes[cursor.pos] ?? 0;
      if (tag === SCOPE.name || tag === SCOPE.version || tag === SCOPE.attributes) {
        cursor.pos++;
        const fieldEnd = cursor.length(end) + cursor.pos;
        const fieldStart = cursor.pos;
        if (tag === SCOPE.name) [nameStart, nameEnd] = [fieldStart, fieldEnd];
        else if (tag === SCOPE.version) [versionStart, versionEnd] = [fieldStart, fieldEnd];
        else json.attribute(fieldStart, fieldEnd);
        cursor.pos = fieldEnd;
      } else if (tag === SCOPE.droppedAttributesCount) {
        cursor.pos++;
        dropped = cursor.varint(end);
      } else {
        cursor.skipField(end, SCOPE_TYPES);
      }
    }
    if (nameEnd > nameStart) json.textMark("name", nameStart, nameEnd);
    if (versionEnd > versionStart) json.textMark("version", versionStart, versionEnd);
    if (dropped > 0) json.numberMark("dropped", dropped);
    return UNKNOWN_SERVICE;
  }
}

/** The value of a KeyValue `service.name` that is a text and not empty; else null. */
function readServiceName(cursor: Cursor, start: number, end: number): Uint8Array | null {
  const { bytes } = cursor;
  const keyEnd = start + 2 + SERVICE_NAME.length;
  if (bytes[start] !== KEY_VALUE.key || bytes[start + 1] !== SERVICE_NAME.length || keyEnd >= end) return null;
  for (let at = 0; at < SERVICE_NAME.length; at++) {
    if (bytes[start + 2 + at] !== SERVICE_NAME[at]) return null;
  }
  if (bytes[keyEnd] !== KEY_VALUE.value) return null;
  cursor.pos = keyEnd + 1;
  const valueEnd = cursor.length(end) + cursor.pos;
  const value: LocatedValue = { tag: 0, start: 0, end: 0 };
  locateValue(cursor, cursor.pos, valueEnd, value);
  const isText = value.tag === ANY_VALUE.stringValue && value.end > value.start;
  return isText ? bytes.slice(value.start, value.end) : null;
}
