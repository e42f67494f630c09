/**
 * The senders that a builder has counted itself. Of most senders that are missing it so knows that they were never stored, as those of traces that
 * were not sampled: without, each step looks for them among all spans of an hour, 20 ns a span. Pure.
 */
import type { LogEnds } from "../log-positions.ts";
import type { EdgeSpans } from "./count-edges.ts";
import { mergeStretches, subtractStretches, type Stretch } from "./scope.ts";

/** Senders of steps that followed each other. */
interface Chunk {
  /** Where the first of the steps began. */
  readonly from: LogEnds;
  /** Number of the last one. */
  readonly step: bigint;
  /** Of each id 32 of its 64 bits, in order: of ten million, one in 400 that are looked for is found in vain. */
  readonly halves: Uint32Array;
  readonly stretch: Stretch;
}

const CHUNK_ID_COUNT_MAX = 65_536;
/** 32 MB: an hour in which 2,200 messages a second are sent. */
const ID_COUNT_MAX = 8_000_000;
const PRODUCER = 4;
const NANO_PER_MS = 1_000_000n;

export interface LocatedSenders {
  readonly ids: ReadonlySet<bigint>;
  /** Where these began, if they did. */
  readonly stretches: readonly Stretch[];
}

export class CountedSenders {
  readonly #idCountMax: number;
  #chunks: Chunk[] = [];
  #idCount = 0;

  constructor(idCountMax = ID_COUNT_MAX) {
    this.#idCountMax = idCountMax;
  }

  /** From where on everything was counted here until the step of this number, and so is known; null: nothing is. */
  knownFrom(step: bigint): LogEnds | null {
    const [first] = this.#chunks;
    return first !== undefined && this.#chunks.at(-1)?.step === step ? first.from : null;
  }

  /** The fresh spans of a step that was taken. */
  add(step: { readonly after: bigint; readonly from: LogEnds }, spans: EdgeSpans): void {
    if (this.knownFrom(step.after) === null) this.#forgetAll();
    const own = chunkOf(step, spans);
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.halves.length + own.halves.length <= CHUNK_ID_COUNT_MAX)
      this.#chunks[this.#chunks.length - 1] = joinChunks(last, own);
    else this.#chunks.push(own);
    this.#idCount += own.halves.length;
    while (this.#idCount > this.#idCountMax && this.#chunks.length > 1) this.#idCount -= this.#chunks.shift()?.halves.length ?? 0;
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

  #forgetAll(): void {
    this.#chunks = [];
    this.#idCount = 0;
  }
}

function chunkOf({ after, from }: { readonly after: bigint; readonly from: LogEnds }, spans: EdgeSpans): Chunk {
  const { count, ids, kind, isFresh, startMs } = spans;
  const halves: number[] = [];
  let firstMs = Infinity;
  let lastMs = -Infinity;
  for (let row = 0; row < count; row += 1) {
    if (kind[row] !== PRODUCER || isFresh[row] !== 1) continue;
    halves.push(ids[row * 2] ?? 0);
    firstMs = Math.min(firstMs, startMs[row] ?? 0);
    lastMs = Math.max(lastMs, startMs[row] ?? 0);
  }
  const stretch = halves.length === 0 ? NOWHEN : { from: BigInt(firstMs) * NANO_PER_MS, to: (BigInt(lastMs) + 1n) * NANO_PER_MS };
  return { from, step: after + 1n, halves: Uint32Array.from(halves).sort(), stretch };
}

const NOWHEN: Stretch = { from: 0n, to: 0n };

function joinChunks(first: Chunk, second: Chunk): Chunk {
  const halves = new Uint32Array(first.halves.length + second.halves.length);
  halves.set(first.halves);
  halves.set(second.halves, first.halves.length);
  const stretches = [first, second].filter((chunk) => chunk.halves.length > 0).map(({ stretch }) => stretch);
  const stretch = {
    from: stretches.reduce((least, { from }) => (from < least ? from : least), stretches[0]?.from ?? 0n),
    to: stretches.reduce((most, { to }) => (to > most ? to : most), 0n),
  };
  return { from: first.from, step: second.step, halves: halves.sort(), stretch };
}

function inCommon(stretches: readonly Stretch[], others: readonly Stretch[]): Stretch[] {
  return subtractStretches(stretches, subtractStretches(stretches, others));
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
