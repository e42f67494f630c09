/**
 * Ids of what was counted, and when it began: a step so knows where to look for what it needs of the spans that were counted before, and of most
 * of it that it is nowhere. Pure.
 */
import { mergeStretches, subtractStretches, type Stretch } from "./scope.ts";

/**
 * By the number of the slot of time in which they began: of each id 32 bits, in order and each once. Of ten million, one in 400 that are looked
 * for is found in vain.
 */
export type IdSlots = ReadonlyMap<number, Uint32Array>;

export interface IdLimits {
  readonly slotNano: bigint;
  /** 4 bytes each. Beyond, the oldest slots are forgotten. */
  readonly idCountMax: number;
}

export interface Located {
  readonly ids: ReadonlySet<number>;
  /** Where these began, if they did. */
  readonly stretches: readonly Stretch[];
}

/** A slot takes the memory of so many ids. */
const SLOT_WEIGHT = 64;
const EVER: Stretch = { from: -(2n ** 63n), to: 2n ** 63n };
const NONE = new Uint32Array(0);

export class CountedIds {
  readonly #limits: IdLimits;
  #slots = new Map<number, Uint32Array>();
  #weight = 0;
  #since: bigint | null = null;
  /** Number of the last step that was seen. */
  #step = 0n;

  constructor(limits: IdLimits) {
    this.#limits = limits;
  }

  /** All that began from then on, and were counted up to the step of this number, are known; null: none are. */
  knownSince(step: bigint): bigint | null {
    return this.#step === step ? this.#since : null;
  }

  /** `slots`: all that began from `since` on and were counted up to the step of this number. */
  begin(step: bigint, since: bigint, slots: IdSlots): void {
    this.#slots = new Map();
    this.#weight = 0;
    this.#since = since;
    this.#step = step;
    this.#put(slots);
  }

  /** What the step after the one of this number counted. Nothing where what came before is not known. */
  add(step: bigint, slots: IdSlots): void {
    if (this.knownSince(step) === null) return;
    this.#step = step + 1n;
    this.#put(slots);
  }

  /** Those of the ids, in order and each once, that may be known to have begun in the stretches. */
  locate(wanted: Uint32Array, within: readonly Stretch[]): Located {
    const ids = new Set<number>();
    const stretches: Stretch[] = [];
    for (const [slot, held] of this.#slots) {
      const places = inCommon([this.#stretchOf(slot)], within);
      if (places.length > 0 && eachInCommon(wanted, held, (id) => ids.add(id)) > 0) stretches.push(...places);
    }
    return { ids, stretches: mergeStretches(stretches) };
  }

  #put(slots: IdSlots): void {
    for (const [slot, own] of slots) {
      const known = this.#slots.get(slot);
      const all = known === undefined ? own : sortedOnce(joined(known, own));
      this.#slots.set(slot, all);
      this.#weight += all.length - (known?.length ?? -SLOT_WEIGHT);
    }
    if (this.#weight > this.#limits.idCountMax) this.#forgetOldest();
  }

  #forgetOldest(): void {
    for (const slot of [...this.#slots.keys()].toSorted((a, b) => a - b)) {
      if (this.#weight <= this.#limits.idCountMax) return;
      this.#weight -= (this.#slots.get(slot) ?? NONE).length + SLOT_WEIGHT;
      this.#slots.delete(slot);
      const { to } = this.#stretchOf(slot);
      if (this.#since !== null && to > this.#since) this.#since = to;
    }
  }

  #stretchOf(slot: number): Stretch {
    const from = BigInt(slot) * this.#limits.slotNano;
    return { from, to: from + this.#limits.slotNano };
  }
}

/** In order and each once. */
export function sortedOnce(ids: ArrayLike<number>): Uint32Array {
  const sorted = Uint32Array.from(ids).sort();
  let count = 0;
  for (const id of sorted) if (count === 0 || sorted[count - 1] !== id) sorted[count++] = id;
  return sorted.slice(0, count);
}

function joined(one: Uint32Array, other: Uint32Array): Uint32Array {
  const both = new Uint32Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** The part of the stretches before an instant. */
export function beforeOf(stretches: readonly Stretch[], instant: bigint): Stretch[] {
  return subtractStretches(stretches, [{ ...EVER, from: instant }]);
}

function inCommon(stretches: readonly Stretch[], others: readonly Stretch[]): Stretch[] {
  return subtractStretches(stretches, subtractStretches(stretches, others));
}

/** How many numbers are in both, of two lists in order. Looks through the longer one in leaps. */
function eachInCommon(one: Uint32Array, other: Uint32Array, found: (id: number) => void): number {
  const [few, many] = one.length < other.length ? [one, other] : [other, one];
  let count = 0;
  let low = 0;
  for (const id of few) {
    let leap = 1;
    while (low + leap < many.length && (many[low + leap] ?? 0) < id) leap *= 2;
    let high = Math.min(low + leap, many.length);
    low += leap >> 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((many[middle] ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    if (many[low] !== id) continue;
    count += 1;
    found(id);
  }
  return count;
}
