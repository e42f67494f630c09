/**
 * Growing column buffers in the layout of ClickHouse's Native format, so that encoding a block copies nothing but dictionary
 * indexes. Buffers double when full and are kept from block to block. Numbers are little-endian, as the machine's own.
 */
import { Failure } from "../../span/errors.ts";
import { isUtf8, repairUtf8 } from "../../otlp/utf8.ts";
import { ByteTable } from "./byte-table.ts";
import { viewOf } from "./view.ts";

/** One stretch of a column's data. */
export interface Part {
  /** Bytes it takes in the block, about. */
  readonly byteCount: number;
  /** Appends its bytes. They are views on the buffers: valid until the part is appended to or reset. */
  encode(out: Uint8Array[]): void;
  /** Remembers the present state for `rollback`. */
  mark(): void;
  rollback(): void;
  /** Empties it and keeps the buffers, unless they are far larger than was needed. */
  reset(): void;
}

/** Counts texts that were not UTF-8 and have been repaired. */
export interface Repairs {
  count: number;
}

const BUFFER_BYTES_MAX = 2 ** 31 - 1;
const KEPT_BYTES_MIN = 1 << 20;

function grownCapacity(present: number, neededBytes: number): number {
  if (neededBytes > BUFFER_BYTES_MAX) {
    throw new Failure(
      "too_large",
      `a block column of ${neededBytes} bytes: expected at most ${BUFFER_BYTES_MAX}; insert more often`,
    );
  }
  return Math.min(BUFFER_BYTES_MAX, Math.max(neededBytes, present * 2));
}

/** What a buffer of `capacity` bytes of which `used` were needed is cut down to. */
function keptCapacity(capacity: number, used: number): number {
  return capacity > KEPT_BYTES_MIN && used < capacity / 8 ? Math.max(KEPT_BYTES_MIN, used * 2) : capacity;
}

/** Values of 1, 2, 4, 8 or 16 bytes. */
export class FixedColumn implements Part {
  /** Values so far. */
  count = 0;
  bytes: Uint8Array;
  /** The same buffer by 4 bytes. */
  words: Int32Array;
  private readonly width: number;
  private capacity: number;
  private marked = 0;

  constructor(width: number) {
    this.width = width;
    this.capacity = 1024;
    this.bytes = new Uint8Array(this.capacity * width);
    this.words = new Int32Array(this.bytes.buffer);
  }

  get byteCount(): number {
    return this.count * this.width;
  }

  /** Room for one more value; its index. */
  next(): number {
    if (this.count === this.capacity) this.grow(this.count + 1);
    return this.count++;
  }

  push8(value: number): void {
    // `next` may replace the buffer: first the index.
    const index = this.next();
    this.bytes[index] = value;
  }

  push32(value: number): void {
    const index = this.next();
    this.words[index] = value;
  }

  push64(low: number, high: number): void {
    const index = this.next() * 2;
    this.words[index] = low;
    this.words[index + 1] = high;
  }

  /** Copies the `width` bytes at `start`, a multiple of 4. */
  pushBytes(view: DataView, start: number): void {
    const count = this.width >> 2;
    const index = this.next() * count;
    for (let word = 0; word < count; word++) this.words[index + word] = view.getInt32(start + word * 4, true);
  }

  /** Makes `count` values from here on equal. */
  pushRepeated(low: number, high: number, count: number): void {
    if (this.count + count > this.capacity) this.grow(this.count + count);
    const from = this.count;
    this.count += count;
    if (this.width === 2) {
      new Uint16Array(this.bytes.buffer).fill(low, from, this.count);
    } else if (this.width === 4) {
      this.words.fill(low, from, this.count);
    } else {
      for (let index = from; index < this.count; index++) {
        this.words[index * 2] = low;
        this.words[index * 2 + 1] = high;
      }
    }
  }

  encode(out: Uint8Array[]): void {
    if (this.count > 0) out.push(this.bytes.subarray(0, this.byteCount));
  }

  mark(): void {
    this.marked = this.count;
  }

  rollback(): void {
    this.count = this.marked;
  }

  reset(): void {
    const kept = keptCapacity(this.bytes.length, this.byteCount);
    this.count = 0;
    if (kept < this.bytes.length) this.resize(Math.ceil(kept / this.width));
  }

  private grow(needed: number): void {
    const old = this.bytes;
    this.resize(Math.floor(grownCapacity(old.length, needed * this.width) / this.width));
    this.bytes.set(old);
  }

  private resize(capacity: number): void {
    // Whole words, whatever the width.
    this.capacity = (capacity + 3) & ~3;
    this.bytes = new Uint8Array(this.capacity * this.width);
    this.words = new Int32Array(this.bytes.buffer);
  }
}

/** Strings: a varint of the length, then the bytes, which are UTF-8 whatever was given. */
export class TextColumn implements Part {
  private bytes = new Uint8Array(4096);
  private view = viewOf(this.bytes);
  private size = 0;
  private marked = 0;
  private readonly repairs: Repairs;

  constructor(repairs: Repairs) {
    this.repairs = repairs;
  }

  get byteCount(): number {
    return this.size;
  }

  /** Copies the text at `start`, with its bad sequences replaced by U+FFFD. */
  push(source: Uint8Array, view: DataView, start: number, length: number): void {
    const before = this.size;
    if (this.bytes.length - before < length + 5) this.grow(length + 5);
    const { bytes } = this;
    let at = before;
    let rest = length;
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.size = at + length;
    if (length <= LOOP_LENGTH_MAX) {
      this.copy(source, view, start, length, at);
    } else {
      bytes.set(source.subarray(start, start + length), at);
    }
    if (!isAscii(source, view, start, length) && !isUtf8(source, start, start + length)) {
      this.size = before;
      this.repairs.count++;
      const repaired = repairUtf8(source.subarray(start, start + length));
      this.push(repaired, viewOf(repaired), 0, repaired.length);
    }
  }

  private copy(source: Uint8Array, view: DataView, start: number, length: number, to: number): void {
    if (length < 4) {
      for (let at = 0; at < length; at++) this.bytes[to + at] = source[start + at] ?? 0;
      return;
    }
    const last = length - 4;
    for (let at = 0; at < last; at += 4) this.view.setInt32(to + at, view.getInt32(start + at));
    this.view.setInt32(to + last, view.getInt32(start + last));
  }

  encode(out: Uint8Array[]): void {
    if (this.size > 0) out.push(this.bytes.subarray(0, this.size));
  }

  mark(): void {
    this.marked = this.size;
  }

  rollback(): void {
    this.size = this.marked;
  }

  reset(): void {
    const kept = keptCapacity(this.bytes.length, this.size);
    this.size = 0;
    if (kept < this.bytes.length) this.use(new Uint8Array(kept));
  }

  private grow(count: number): void {
    const grown = new Uint8Array(grownCapacity(this.bytes.length, this.size + count));
    grown.set(this.bytes.subarray(0, this.size));
    this.use(grown);
  }

  private use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}

/** Up to here a loop copies faster than the call and the view that `set` takes. */
const LOOP_LENGTH_MAX = 96;

/** Whether no byte has its high bit set. */
function isAscii(source: Uint8Array, view: DataView, start: number, length: number): boolean {
  let bits = 0;
  if (length < 4) {
    for (let at = start; at < start + length; at++) bits |= source[at] ?? 0;
    return bits < 0x80;
  }
  const last = start + length - 4;
  for (let at = start; at < last; at += 4) bits |= view.getInt32(at);
  // The last four, of which some may have been seen.
  return ((bits | view.getInt32(last)) & 0x80808080) === 0;
}

const FOLLOWER_MASK = 0xff;

/**
 * LowCardinality(String). Source: ClickHouse `SerializationLowCardinality`. After the version (see LOW_CARDINALITY_VERSION) the data is
 *
 *   UInt64  index width (0: UInt8, 1: UInt16, 2: UInt32) | 1 << 9 the keys follow | 1 << 10 this is a new dictionary
 *   UInt64  count of keys, then the keys as strings
 *   UInt64  count of indexes, then the indexes
 *
 * and nothing at all for a column without values.
 */
export class LowCardinalityColumn implements Part {
  private readonly table = new ByteTable();
  private readonly indexes = new FixedColumn(4);
  private readonly repairs: Repairs;
  /** Index that came after an index when it was last seen; an expectation only, so it may be out of date. */
  private readonly followers = new Int32Array(FOLLOWER_MASK + 1);
  private last = 0;
  private readonly first: readonly Uint8Array[];

  /** `first`: texts that have the first numbers of every block's dictionary, in this order. */
  constructor(repairs: Repairs, first: readonly string[] = []) {
    this.repairs = repairs;
    this.first = first.map((text) => new TextEncoder().encode(text));
    this.addFirst();
  }

  get count(): number {
    return this.indexes.count;
  }

  get byteCount(): number {
    return 24 + this.table.byteCount + this.indexes.count * indexWidth(this.table.count);
  }

  /** The index of a text in this block's dictionary. */
  intern(source: Uint8Array, view: DataView, start: number, length: number): number {
    const known = this.table.find(source, view, start, length);
    if (known >= 0) return known;
    if (isUtf8(source, start, start + length)) return this.table.add(source, start, length);
    this.repairs.count++;
    const repaired = repairUtf8(source.subarray(start, start + length));
    const repairedView = viewOf(repaired);
    const same = this.table.find(repaired, repairedView, 0, repaired.length);
    return same >= 0 ? same : this.table.add(repaired, 0, repaired.length);
  }

  push(source: Uint8Array, view: DataView, start: number, length: number): void {
    const index = this.intern(source, view, start, length);
    this.indexes.push32(index);
  }

  /** As `push`, for texts that come in the same order over and over, as attribute keys do. */
  pushExpected(source: Uint8Array, view: DataView, start: number, length: number): void {
    const index = this.internExpected(source, view, start, length);
    this.indexes.push32(index);
  }

  /** As `intern`: what followed the last text before is looked at first. */
  internExpected(source: Uint8Array, view: DataView, start: number, length: number): number {
    const { table, last } = this;
    let index = this.followers[last] ?? 0;
    if (!table.holds(index, source, view, start, length)) {
      index = this.intern(source, view, start, length);
      this.followers[last] = index;
    }
    this.last = index & FOLLOWER_MASK;
    return index;
  }

  /** Appends a value by what `intern` gave. */
  pushIndex(index: number): void {
    this.indexes.push32(index);
  }

  /** Appends the same value `count` times, by what `intern` gave. */
  pushRepeated(index: number, count: number): void {
    this.indexes.pushRepeated(index, 0, count);
  }

  encode(out: Uint8Array[]): void {
    const count = this.indexes.count;
    if (count === 0) return;
    const width = indexWidth(this.table.count);
    const head = new DataView(new ArrayBuffer(16));
    head.setUint32(0, Math.log2(width) | (1 << 9) | (1 << 10), true);
    head.setUint32(8, this.table.count, true);
    const indexHead = new DataView(new ArrayBuffer(8));
    indexHead.setUint32(0, count, true);
    out.push(bytesOf(head), this.table.keys(), bytesOf(indexHead), this.narrowIndexes(width));
  }

  private narrowIndexes(width: number): Uint8Array {
    const indexes = this.indexes.words.subarray(0, this.indexes.count);
    if (width === 1) return new Uint8Array(indexes);
    const narrow = width === 2 ? new Uint16Array(indexes) : indexes;
    return new Uint8Array(narrow.buffer, narrow.byteOffset, narrow.byteLength);
  }

  mark(): void {
    this.indexes.mark();
  }

  /** Keys that only the rolled-back values used stay in the dictionary: they do no harm. */
  rollback(): void {
    this.indexes.rollback();
  }

  reset(): void {
    this.indexes.reset();
    this.table.reset();
    this.addFirst();
  }

  private addFirst(): void {
    for (const text of this.first) this.intern(text, viewOf(text), 0, text.length);
  }
}

function indexWidth(keyCount: number): number {
  if (keyCount <= 0x100) return 1;
  return keyCount <= 0x1_0000 ? 2 : 4;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Version 1 of the LowCardinality serialization: it stands before the offsets of an array or map that holds such a column. */
export const LOW_CARDINALITY_VERSION: Part = {
  byteCount: 8,
  encode(out) {
    out.push(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
  },
  mark() {},
  rollback() {},
  reset() {},
};
