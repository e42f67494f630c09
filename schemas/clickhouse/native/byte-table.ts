/**
 * Byte strings numbered in order of first appearance, kept back to back as ClickHouse strings (varint length, bytes).
 *
 * Keys come from outside, so the hash must not be a weapon. The table starts with a hash of a few sampled bytes, which is fast and
 * easy to collide; when a search passes more slots than chance explains, the table switches for good to HalfSipHash under a random
 * key, which nobody outside can collide.
 */
import { halfSipHash } from "./half-sip-hash.ts";
import { viewOf } from "./view.ts";

const PROBE_MAX = 48;
const SLOTS_MIN = 1024;

export class ByteTable {
  /** Keys so far. */
  count = 0;
  /** Index of a key plus 1; 0: free. */
  private slots = new Int32Array(SLOTS_MIN);
  private mask = SLOTS_MIN - 1;
  private hashes = new Int32Array(SLOTS_MIN / 2);
  private starts = new Int32Array(SLOTS_MIN / 2);
  private lengths = new Int32Array(SLOTS_MIN / 2);
  private bytes = new Uint8Array(1 << 14);
  private view = viewOf(this.bytes);
  private size = 0;
  private isKeyed = false;
  /** Of the last `find` that failed. */
  private missedHash = 0;

  get byteCount(): number {
    return this.size;
  }

  /** The keys as they are in a String column; valid until the next `add`. */
  keys(): Uint8Array {
    return this.bytes.subarray(0, this.size);
  }

  /** The number of a key, or -1. */
  find(source: Uint8Array, view: DataView, start: number, length: number): number {
    const hash = this.isKeyed ? halfSipHash(source, view, start, length) : sampleHash(source, view, start, length);
    const { slots, mask, hashes, lengths } = this;
    let slot = hash & mask;
    for (let probe = 0; ; probe++) {
      const index = (slots[slot] ?? 0) - 1;
      if (index < 0) break;
      if (hashes[index] === hash && lengths[index] === length && this.isSame(index, source, view, start, length)) return index;
      if (probe === PROBE_MAX && !this.isKeyed) {
        this.isKeyed = true;
        this.rehash(this.slots.length);
        return this.find(source, view, start, length);
      }
      slot = (slot + 1) & mask;
    }
    this.missedHash = hash;
    return -1;
  }

  /** Whether the key of this number is the one given. */
  holds(index: number, source: Uint8Array, view: DataView, start: number, length: number): boolean {
    return index < this.count && this.lengths[index] === length && this.isSame(index, source, view, start, length);
  }

  /** Adds the key that the last `find` did not find; its number. */
  add(source: Uint8Array, start: number, length: number): number {
    if (this.count === this.hashes.length) this.rehash(this.slots.length * 2);
    const index = this.count++;
    this.hashes[index] = this.missedHash;
    this.lengths[index] = length;
    this.reserve(length + 5);
    let rest = length;
    while (rest > 0x7f) {
      this.bytes[this.size++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.size++] = rest;
    this.starts[index] = this.size;
    this.bytes.set(source.subarray(start, start + length), this.size);
    this.size += length;
    this.place(index);
    return index;
  }

  /** Forgets the keys. */
  reset(): void {
    this.count = 0;
    this.size = 0;
    if (this.slots.length > SLOTS_MIN * 64) {
      this.allocate(SLOTS_MIN);
    } else {
      this.slots.fill(0);
    }
    if (this.bytes.length > 1 << 22) {
      this.bytes = new Uint8Array(1 << 14);
      this.view = viewOf(this.bytes);
    }
  }

  private place(index: number): void {
    let slot = (this.hashes[index] ?? 0) & this.mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask;
    this.slots[slot] = index + 1;
  }

  private isSame(index: number, source: Uint8Array, view: DataView, start: number, length: number): boolean {
    const own = this.starts[index] ?? 0;
    if (length < 4) {
      for (let at = 0; at < length; at++) {
        if (this.bytes[own + at] !== source[start + at]) return false;
      }
      return true;
    }
    const last = length - 4;
    for (let at = 0; at < last; at += 4) {
      if (this.view.getInt32(own + at) !== view.getInt32(start + at)) return false;
    }
    return this.view.getInt32(own + last) === view.getInt32(start + last);
  }

  private rehash(slotCount: number): void {
    const { hashes, starts, lengths } = this;
    this.allocate(slotCount);
    this.hashes.set(hashes.subarray(0, this.count));
    this.starts.set(starts.subarray(0, this.count));
    this.lengths.set(lengths.subarray(0, this.count));
    for (let index = 0; index < this.count; index++) {
      if (this.isKeyed) {
        this.hashes[index] = halfSipHash(this.bytes, this.view, this.starts[index] ?? 0, this.lengths[index] ?? 0);
      }
      this.place(index);
    }
  }

  private allocate(slotCount: number): void {
    this.slots = new Int32Array(slotCount);
    this.mask = slotCount - 1;
    this.hashes = new Int32Array(slotCount / 2);
    this.starts = new Int32Array(slotCount / 2);
    this.lengths = new Int32Array(slotCount / 2);
  }

  private reserve(count: number): void {
    if (this.bytes.length - this.size >= count) return;
    const grown = new Uint8Array(Math.max(this.size + count, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.size));
    this.bytes = grown;
    this.view = viewOf(grown);
  }
}

/** The length and the first, middle and last 4 bytes. */
function sampleHash(source: Uint8Array, view: DataView, start: number, length: number): number {
  let hash = Math.imul(length, 0x9e3779b1);
  if (length >= 4) {
    hash = Math.imul(hash ^ view.getInt32(start), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ view.getInt32(start + ((length - 4) >> 1)), 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 13) ^ view.getInt32(start + length - 4), 0x27d4eb2f);
  } else {
    for (let at = start; at < start + length; at++) hash = Math.imul(hash ^ (source[at] ?? 0), 0x85ebca6b);
  }
  return hash ^ (hash >>> 16);
}
