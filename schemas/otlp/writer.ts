/** Writes protobuf into one growing buffer. For what is not hot: JSON bodies, responses, exports. */

const ENCODER = new TextEncoder();
/** Up to here a loop is faster than the call and the view that TextEncoder takes. */
const LOOP_LENGTH_MAX = 128;

export class ProtobufWriter {
  private bytes: Uint8Array;
  private view: DataView;
  private size = 0;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }

  /** Tag, then the 64-bit pattern of `value` (negative numbers take 10 bytes, as in protobuf). */
  varintField(tag: number, value: bigint | number): void {
    this.tag(tag);
    if (typeof value === "number" && value >= 0 && value <= 0xffff_ffff) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    this.reserve(10);
    while (rest > 0x7fn) {
      this.bytes[this.size++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.size++] = Number(rest);
  }

  fixed64Field(tag: number, value: bigint): void {
    this.tag(tag);
    this.reserve(8);
    this.view.setBigUint64(this.size, BigInt.asUintN(64, value), true);
    this.size += 8;
  }

  fixed32Field(tag: number, value: number): void {
    this.tag(tag);
    this.reserve(4);
    this.view.setUint32(this.size, value, true);
    this.size += 4;
  }

  doubleField(tag: number, value: number): void {
    this.tag(tag);
    this.reserve(8);
    this.view.setFloat64(this.size, value, true);
    this.size += 8;
  }

  bytesField(tag: number, value: Uint8Array): void {
    this.tag(tag);
    this.varint(value.length);
    this.reserve(value.length);
    this.bytes.set(value, this.size);
    this.size += value.length;
  }

  /** Lone surrogates become U+FFFD, as TextEncoder does. */
  stringField(tag: number, value: string): void {
    const mark = this.begin(tag);
    this.reserve(value.length * 3);
    if (value.length <= LOOP_LENGTH_MAX && this.ascii(value)) {
      this.end(mark);
      return;
    }
    const { written } = ENCODER.encodeInto(value, this.bytes.subarray(this.size));
    this.size += written;
    this.end(mark);
  }

  /** Writes the text if it is ASCII; else nothing. Room for it must have been reserved. */
  private ascii(value: string): boolean {
    const { bytes, size } = this;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[size + index] = code;
    }
    this.size = size + value.length;
    return true;
  }

  /** Whole fields that are encoded already. */
  raw(fields: Uint8Array): void {
    this.reserve(fields.length);
    this.bytes.set(fields, this.size);
    this.size += fields.length;
  }

  /** Opens a length-delimited field; close it with `end`. */
  begin(tag: number): number {
    this.tag(tag);
    this.reserve(1);
    this.size++;
    return this.size;
  }

  /** Closes what `begin` opened: the content moves up when its length takes more than one byte. */
  end(mark: number): void {
    const length = this.size - mark;
    if (length < 0x80) {
      this.bytes[mark - 1] = length;
      return;
    }
    const extra = varintSize(length) - 1;
    this.reserve(extra);
    this.bytes.copyWithin(mark + extra, mark, this.size);
    this.size = mark - 1;
    this.varint(length);
    this.size += length;
  }

  private tag(tag: number): void {
    this.reserve(2);
    this.bytes[this.size++] = tag;
    // The one tag of two bytes is Span.flags, 0x85: on the wire 85 01.
    if (tag > 0x7f) this.bytes[this.size++] = tag >>> 7;
  }

  private varint(value: number): void {
    this.reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.size++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.size++] = rest;
  }

  private reserve(count: number): void {
    const needed = this.size + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.size));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** Bytes that a 32-bit unsigned varint takes. */
function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}
