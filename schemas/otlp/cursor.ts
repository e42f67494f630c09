/**
 * Reads protobuf at a position. Hot loops keep their own position and use the cursor for what is rare: numbers of more than one
 * byte, unknown fields, faults. Every method checks against the end of the enclosing message, so nothing is read beyond it.
 */
import { InvalidError } from "../span/errors.ts";
import type { WireTypes } from "./wire.ts";

const EMPTY = new Uint8Array(0);
const GROUP_DEPTH_MAX = 32;

export class Cursor {
  bytes: Uint8Array = EMPTY;
  view: DataView = new DataView(EMPTY.buffer);
  pos = 0;
  /** The two halves of the last varint, as signed 32-bit integers. */
  low = 0;
  high = 0;

  open(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pos = 0;
  }

  /** Lets go of the bytes. */
  close(): void {
    this.open(EMPTY);
  }

  /** Reads a varint of up to 64 bits into `low` and `high`; returns its low 32 bits as an unsigned number. */
  varint(end: number): number {
    const bytes = this.bytes;
    let pos = this.pos;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (pos >= end) this.fail("a number is cut off");
      const byte = bytes[pos++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else {
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        this.pos = pos;
        this.low = low;
        this.high = high;
        return low >>> 0;
      }
    }
    return this.fail("a number is longer than 10 bytes");
  }

  /** Reads the length of a field whose content must end at or before `end`. `pos` is then where the content starts. */
  length(end: number): number {
    const length = this.varint(end);
    if (this.high !== 0 || length > end - this.pos) {
      this.fail(`a field of ${this.high === 0 ? length : "over 4 GiB"} bytes does not fit into the ${end - this.pos} left`);
    }
    return length;
  }

  /**
   * Skips the field at `pos`, tag included. `types` are the message's fields: a known field in another wire type, or under a tag
   * longer than it needs to be, is a fault.
   */
  skipField(end: number, types: WireTypes): void {
    const start = this.pos;
    const tag = this.varint(end);
    if (this.high !== 0) this.fail("a tag is longer than 32 bits");
    if (tag < 0x80 && this.pos - start > 1) this.fail(`tag ${tag} takes ${this.pos - start} bytes instead of 1`);
    const expected = types[tag >>> 3] ?? 0xff;
    if (expected !== 0xff && expected !== (tag & 7)) {
      this.fail(`field ${tag >>> 3} has wire type ${tag & 7}, expected ${expected}`);
    }
    this.skipValue(tag, end, 0);
  }

  private skipValue(tag: number, end: number, depth: number): void {
    if (tag >>> 3 === 0) this.fail("field number 0");
    switch (tag & 7) {
      case 0:
        this.varint(end);
        return;
      case 1:
        this.skipBytes(8, end);
        return;
      case 2:
        this.skipBytes(this.length(end), end);
        return;
      case 3:
        this.skipGroup(tag >>> 3, end, depth + 1);
        return;
      case 5:
        this.skipBytes(4, end);
        return;
      default:
        this.fail(`wire type ${tag & 7} does not exist here`);
    }
  }

  private skipGroup(field: number, end: number, depth: number): void {
    if (depth > GROUP_DEPTH_MAX) this.fail(`groups nest deeper than ${GROUP_DEPTH_MAX}`);
    for (;;) {
      const tag = this.varint(end);
      if ((tag & 7) === 4) {
        if (tag >>> 3 !== field) this.fail(`group ${field} is closed as group ${tag >>> 3}`);
        return;
      }
      this.skipValue(tag, end, depth);
    }
  }

  private skipBytes(count: number, end: number): void {
    if (count > end - this.pos) this.fail(`a field of ${count} bytes does not fit into the ${end - this.pos} left`);
    this.pos += count;
  }

  /** Throws InvalidError with the byte position. */
  fail(cause: string): never {
    throw new InvalidError(`malformed protobuf near byte ${this.pos}: ${cause}`);
  }

  /** As `fail`, for a reader that keeps its own position. */
  failAt(pos: number, cause: string): never {
    this.pos = pos;
    return this.fail(cause);
  }
}
