/** Span ids as pairs of 32-bit words, and an index over them: objects and strings per span would cost a million-span trace seconds. */

import { pick } from "./rows.ts";

/** 64-bit ids, the upper and the lower half in an array each. */
export interface IdColumn {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** From 8 big-endian bytes an id. */
export function readIds(bytes: Uint8Array): IdColumn {
  const count = bytes.length >>> 3;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const high = new Uint32Array(count);
  const low = new Uint32Array(count);
  for (let row = 0; row < count; row += 1) {
    high[row] = view.getUint32(8 * row);
    low[row] = view.getUint32(8 * row + 4);
  }
  return { high, low };
}

export function formatId(ids: IdColumn, row: number): string {
  return (ids.high[row] ?? 0).toString(16).padStart(8, "0") + (ids.low[row] ?? 0).toString(16).padStart(8, "0");
}

function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * Rows by id; rows that share an id are chained in ascending order. Open addressing under seeds of its own, so that ids made to collide
 * do not.
 */
export class IdIndex {
  readonly #ids: IdColumn;
  readonly #slots: Int32Array;
  readonly #next: Int32Array;
  readonly #mask: number;
  readonly #seedHigh = Math.floor(Math.random() * 2 ** 32);
  readonly #seedLow = Math.floor(Math.random() * 2 ** 32);

  /** `rows` are indexes into `ids`; what the index gives back are positions in `rows`. */
  constructor(ids: IdColumn, rows: Uint32Array) {
    this.#ids = {
      high: pick(ids.high, rows, new Uint32Array(rows.length)),
      low: pick(ids.low, rows, new Uint32Array(rows.length)),
    };
    let size = 16;
    while (size < 2 * rows.length) size *= 2;
    this.#mask = size - 1;
    this.#slots = new Int32Array(size).fill(-1);
    this.#next = new Int32Array(rows.length).fill(-1);
    for (let at = rows.length - 1; at >= 0; at -= 1) {
      const slot = this.#slotOf(this.#ids.high[at] ?? 0, this.#ids.low[at] ?? 0);
      this.#next[at] = this.#slots[slot] ?? -1;
      this.#slots[slot] = at;
    }
  }

  /** The first position with this id, or -1. */
  first(high: number, low: number): number {
    return this.#slots[this.#slotOf(high, low)] ?? -1;
  }

  /** The next position with the same id, or -1. */
  next(at: number): number {
    return this.#next[at] ?? -1;
  }

  #slotOf(high: number, low: number): number {
    let slot = mix(mix(high ^ this.#seedHigh) ^ low ^ this.#seedLow) & this.#mask;
    for (;;) {
      const at = this.#slots[slot] ?? -1;
      if (at < 0 || (this.#ids.high[at] === high && this.#ids.low[at] === low)) return slot;
      slot = (slot + 1) & this.#mask;
    }
  }
}
