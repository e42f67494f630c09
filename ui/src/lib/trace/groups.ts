/**
 * Siblings that look alike - same parent, service, span name and kind - are found while the trace streams in. Each distinct
 * (parent, service, name, kind) is a "kin"; a kin of 5 or more rows folds to one row of the waterfall. Open addressing on typed
 * arrays, since a trace may have a million of them:
 *
 *   kinOf[row]    which kin a row belongs to        nextAlike[row]  the next member, -1 at the last
 *   first[kin]    its first member                  count[kin]      members so far
 */
import { SKELETON_KIND_SHIFT } from "@callchain/schemas/api/skeleton.ts";
import type { TraceModel } from "./model.ts";

/** From this many alike siblings on, they fold. */
const ALIKE_COUNT_MIN = 5;

const KIND_MASK = 7;

function grown(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(array);
  return longer;
}

export class AlikeSiblings {
  readonly #model: TraceModel;
  #rowCount = 0;
  #kinCount = 0;
  #kinOf: Int32Array;
  #nextAlike: Int32Array;
  #first: Int32Array;
  #last: Int32Array;
  #count: Int32Array;
  /** Kin + 1 by hash, 0 where free; its length is a power of two. */
  #slots: Int32Array;
  readonly #members = new Map<number, Int32Array>();

  constructor(model: TraceModel) {
    this.#model = model;
    const rows = Math.max(16, model.head.spanCount);
    this.#kinOf = new Int32Array(rows);
    this.#nextAlike = new Int32Array(rows);
    this.#first = new Int32Array(rows);
    this.#last = new Int32Array(rows);
    this.#count = new Int32Array(rows);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * rows)));
  }

  /** Takes in the rows that the model has gained. */
  update(): void {
    this.#reserve(this.#model.rowCount);
    for (let row = this.#rowCount; row < this.#model.rowCount; row++) this.#add(row);
    this.#rowCount = this.#model.rowCount;
  }

  /** The kin of a row. */
  kinOf(row: number): number {
    return this.#kinOf[row] ?? 0;
  }

  isGroup(kin: number): boolean {
    return (this.#count[kin] ?? 0) >= ALIKE_COUNT_MIN;
  }

  firstOf(kin: number): number {
    return this.#first[kin] ?? 0;
  }

  countOf(kin: number): number {
    return this.#count[kin] ?? 0;
  }

  /** Member after this one, -1 after the last. */
  nextAlike(row: number): number {
    return this.#nextAlike[row] ?? -1;
  }

  /** All members in order; built once per size. Do not change it. */
  membersOf(kin: number): Int32Array {
    const known = this.#members.get(kin);
    if (known !== undefined && known.length === this.countOf(kin)) return known;
    const members = new Int32Array(this.countOf(kin));
    let row = this.firstOf(kin);
    for (let at = 0; at < members.length; at++) {
      members[at] = row;
      row = this.nextAlike(row);
    }
    this.#members.set(kin, members);
    return members;
  }

  #add(row: number): void {
    const kin = this.#kinFor(row);
    this.#kinOf[row] = kin;
    this.#nextAlike[row] = -1;
    const count = this.#count[kin] ?? 0;
    if (count === 0) this.#first[kin] = row;
    else this.#nextAlike[this.#last[kin] ?? 0] = row;
    this.#last[kin] = row;
    this.#count[kin] = count + 1;
  }

  #hash(row: number): number {
    const { parent, service, name, flags } = this.#model;
    let hash = Math.imul((parent[row] ?? 0) + 1, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (service[row] ?? 0), 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 13) ^ (name[row] ?? 0), 0xc2b2ae3d);
    hash ^= ((flags[row] ?? 0) >> SKELETON_KIND_SHIFT) & KIND_MASK;
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #areAlike(a: number, b: number): boolean {
    const { parent, service, name, flags } = this.#model;
    return (
      parent[a] === parent[b] &&
      service[a] === service[b] &&
      name[a] === name[b] &&
      (((flags[a] ?? 0) ^ (flags[b] ?? 0)) & (KIND_MASK << SKELETON_KIND_SHIFT)) === 0
    );
  }

  #kinFor(row: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(row) & mask;
    for (;;) {
      const kin = (this.#slots[slot] ?? 0) - 1;
      if (kin < 0) break;
      if (this.#areAlike(this.#first[kin] ?? 0, row)) return kin;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = ++this.#kinCount;
    return this.#kinCount - 1;
  }

  #reserve(rows: number): void {
    if (rows <= this.#kinOf.length) return;
    const length = Math.max(rows, 2 * this.#kinOf.length);
    this.#kinOf = grown(this.#kinOf, length);
    this.#nextAlike = grown(this.#nextAlike, length);
    this.#first = grown(this.#first, length);
    this.#last = grown(this.#last, length);
    this.#count = grown(this.#count, length);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * length)));
    const mask = this.#slots.length - 1;
    for (let kin = 0; kin < this.#kinCount; kin++) {
      let slot = this.#hash(this.#first[kin] ?? 0) & mask;
      while ((this.#slots[slot] ?? 0) !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = kin + 1;
    }
  }
}

export interface GroupSummary {
  readonly count: number;
  readonly errorCount: number;
  readonly minNano: number;
  readonly medianNano: number;
  readonly maxNano: number;
  readonly startNano: number;
  readonly endNano: number;
  /** Most members that ran at the same instant; 1 is serial. */
  readonly concurrencyMax: number;
  /** "repeated": serial client calls that one batch could have answered (N+1). "retries": serial client calls most of which failed. */
  readonly pattern: "repeated" | "retries" | null;
}

/** What one row says for all members. A member that begins where another ends does not overlap it. */
export function summariseGroup(model: TraceModel, members: Int32Array): GroupSummary {
  const durations = Float64Array.from(members, (row) => model.duration[row] ?? 0).sort();
  const starts = Float64Array.from(members, (row) => model.start[row] ?? 0).sort();
  const ends = Float64Array.from(members, (row) => (model.start[row] ?? 0) + (model.duration[row] ?? 0)).sort();
  let errorCount = 0;
  for (const row of members) if (model.isError(row)) errorCount++;
  let ended = 0;
  let concurrencyMax = 1;
  for (let began = 1; began <= starts.length; began++) {
    while (ended < ends.length && (ends[ended] ?? 0) <= (starts[began - 1] ?? 0)) ended++;
    concurrencyMax = Math.max(concurrencyMax, began - ended);
  }
  const middle = durations.length >> 1;
  const upper = durations[middle] ?? 0;
  const isSerialCall = concurrencyMax === 1 && members.length >= ALIKE_COUNT_MIN && model.kind(members[0] ?? 0) === "client";
  return {
    count: members.length,
    errorCount,
    minNano: durations[0] ?? 0,
    medianNano: durations.length % 2 === 1 ? upper : ((durations[middle - 1] ?? 0) + upper) / 2,
    maxNano: durations.at(-1) ?? 0,
    startNano: starts[0] ?? 0,
    endNano: ends.at(-1) ?? 0,
    concurrencyMax,
    pattern: !isSerialCall ? null : errorCount * 2 > members.length ? "retries" : "repeated",
  };
}
