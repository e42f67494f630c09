/**
 * The senders that were counted. Of most senders that are missing it is so known that they were never stored, as those of traces that were not
 * sampled: without, each step looks for them among all spans of an hour, 20 ns a span. Nothing is remembered before a step misses many. Pure.
 */
import type { EdgeSpans } from "./count-edges.ts";
import { mergeStretches, subtractStretches, type Stretch } from "./scope.ts";

/** Senders that began in a stretch of time. */
export interface SenderChunk {
  /** Of each id the lower 32 of its 64 bits, in order: of ten million, one in 400 that are looked for is found in vain. */
  readonly halves: Uint32Array;
  readonly stretch: Stretch;
}

const CHUNK_ID_COUNT_MAX = 65_536;
/** 64 MB: two hours in which 2,200 messages a second are sent. */
export const SENDER_COUNT_MAX = 16_000_000;
const PRODUCER = 4;
const NANO_PER_MS = 1_000_000n;
const EVER: Stretch = { from: -(2n ** 63n), to: 2n ** 63n };

export interface LocatedSenders {
  readonly ids: ReadonlySet<bigint>;
  /** Where these began, if they did. */
  readonly stretches: readonly Stretch[];
}

export class CountedSenders {
  readonly #idCountMax: number;
  #chunks: SenderChunk[] = [];
  #idCount = 0;
  #since: bigint | null = null;
  /** Number of the last step that was seen. */
  #step = 0n;

  constructor(idCountMax = SENDER_COUNT_MAX) {
    this.#idCountMax = idCountMax;
  }

  /** All that began from then on, and were counted up to the step of this number, are known; null: none are. */
  knownSince(step: bigint): bigint | null {
    return this.#step === step ? this.#since : null;
  }

  /** `chunks`: all that began from `since` on and were counted up to the step of this number. */
  begin(step: bigint, since: bigint, chunks: readonly SenderChunk[]): void {
    this.#chunks = [...chunks];
    this.#idCount = chunks.reduce((sum, { halves }) => sum + halves.length, 0);
    this.#since = since;
    this.#step = step;
  }

  /** The fresh spans of the step after the one of this number. */
  add(step: bigint, spans: EdgeSpans): void {
    if (this.knownSince(step) === null) return;
    this.#step = step + 1n;
    const own = chunkOf(spans);
    if (own === null) return;
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.halves.length + own.halves.length <= CHUNK_ID_COUNT_MAX)
      this.#chunks[this.#chunks.length - 1] = joinChunks(last, own);
    else this.#chunks.push(own);
    this.#idCount += own.halves.length;
    while (this.#idCount > this.#idCountMax) this.#forgetOldest();
  }

  /** Those of the ids that may be known to have begun in the stretches. */
  locate(ids: Iterable<bigint>, within: readonly Stretch[]): LocatedSenders {
    const reached = this.#chunks.flatMap(({ halves, stretch }) => {
      const stretches = inCommon([stretch], within);
      return stretches.length === 0 ? [] : [{ halves, stretches }];
    });
    const located = new Set<bigint>();
    const places = new Set<readonly Stretch[]>();
    for (const id of ids) {
      const half = Number(id & 0xffff_ffffn);
      for (const { halves, stretches } of reached) {
        if (!holds(halves, half)) continue;
        located.add(id);
        places.add(stretches);
      }
    }
    return { ids: located, stretches: mergeStretches([...places].flat()) };
  }

  #forgetOldest(): void {
    const oldest = this.#chunks.shift();
    if (oldest === undefined || this.#since === null) return;
    this.#idCount -= oldest.halves.length;
    if (oldest.stretch.to > this.#since) this.#since = oldest.stretch.to;
  }
}

/** The part of the stretches before an instant. */
export function beforeOf(stretches: readonly Stretch[], instant: bigint): Stretch[] {
  return subtractStretches(stretches, [{ ...EVER, from: instant }]);
}

function inCommon(stretches: readonly Stretch[], others: readonly Stretch[]): Stretch[] {
  return subtractStretches(stretches, subtractStretches(stretches, others));
}

function chunkOf({ count, ids, kind, isFresh, startMs }: EdgeSpans): SenderChunk | null {
  const halves: number[] = [];
  let firstMs = Infinity;
  let lastMs = -Infinity;
  for (let row = 0; row < count; row += 1) {
    if (kind[row] !== PRODUCER || isFresh[row] !== 1) continue;
    halves.push(ids[row * 2] ?? 0);
    firstMs = Math.min(firstMs, startMs[row] ?? 0);
    lastMs = Math.max(lastMs, startMs[row] ?? 0);
  }
  if (halves.length === 0) return null;
  const stretch = { from: BigInt(firstMs) * NANO_PER_MS, to: (BigInt(lastMs) + 1n) * NANO_PER_MS };
  return { halves: Uint32Array.from(halves).sort(), stretch };
}

function joinChunks(first: SenderChunk, second: SenderChunk): SenderChunk {
  const halves = new Uint32Array(first.halves.length + second.halves.length);
  halves.set(first.halves);
  halves.set(second.halves, first.halves.length);
  const [a, b] = [first.stretch, second.stretch];
  return { halves: halves.sort(), stretch: { from: a.from < b.from ? a.from : b.from, to: a.to > b.to ? a.to : b.to } };
}

/** `sorted` has the number. */
function holds(sorted: Uint32Array, wanted: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === wanted;
}
