/**
 * Edges of stretches of time that did not change between two questions. Of a day's graph, whose histograms are tens of megabytes, all but the
 * newest minutes, the hour and the eight hours they lie in is such: a page that asks again, or for another focus, reads what has changed. Each row
 * of `edge_rollups` carries the number of the last step that added to it, so whether a stretch has changed is seen in the same statement that
 * reads the others. Pure.
 */
import type { Edge } from "@callchain/schemas/clickhouse/edges/edge-series.ts";
import { sumBuckets, type BucketCounts } from "../duration-histogram.ts";
import type { TierPart } from "../rollup-plan.ts";

/** Counts of edges as columns. */
export interface EdgeRows {
  readonly edges: readonly Edge[];
  /** For each row its own among `edges`. */
  readonly edge: Uint32Array;
  readonly isError: Uint8Array;
  /** For each row where its own of the following two end. */
  readonly ends: Uint32Array;
  readonly buckets: Uint16Array;
  readonly counts: Int32Array;
  readonly slowestNano: Float64Array;
  /** 16 bytes each; all zero: none is known. */
  readonly slowestTraces: Buffer;
}

export interface Kept {
  readonly rows: EdgeRows;
  /** Every step up to this one is in the rows. */
  step: bigint;
}

/** How far an answer is counted. */
export interface CountedUntil {
  /** The last one; 0: none. */
  readonly step: bigint;
  /** Days of arrival, with which rows expire, as numbers. */
  readonly days: ReadonlySet<number>;
}

const BYTE_COUNT_MAX = 64 * 1024 * 1024;
/** Of a row beside its histogram. */
const ROW_BYTE_COUNT = 40;
const SEEN_COUNT_MAX = 20_000;
/** More of them would make a statement longer than what they save. */
const USED_COUNT_MAX = 500;

export class KeptStretches {
  /** By `stretchKey`, those used last at the end. */
  readonly #kept = new Map<number, Kept>();
  /** The newest step in each stretch when it was read last. */
  readonly #seen = new Map<number, bigint>();
  #byteCount = 0;
  #until: CountedUntil = { step: 0n, days: new Set() };

  /** The newest that an answer has told. */
  get until(): CountedUntil {
    return this.#until;
  }

  /** Those of a plan. */
  within(parts: readonly TierPart[]): ReadonlyMap<number, Kept> {
    const found = new Map<number, Kept>();
    for (const { tier, from, to } of parts) {
      for (let minute = from; minute < to && found.size < USED_COUNT_MAX; minute += tier) {
        const kept = this.#kept.get(stretchKey(tier, minute));
        if (kept !== undefined) found.set(stretchKey(tier, minute), kept);
      }
    }
    return found;
  }

  /** What an answer says of stretches that it was asked with: these have changed, the others have not up to its last step. */
  confirm(used: ReadonlyMap<number, Kept>, changed: ReadonlySet<number>, until: CountedUntil): void {
    for (const [key, kept] of used) {
      if (this.#kept.get(key) !== kept) continue;
      this.#kept.delete(key);
      if (changed.has(key)) {
        this.#byteCount -= byteCountOf(kept.rows);
        continue;
      }
      if (until.step > kept.step) kept.step = until.step;
      this.#kept.set(key, kept);
    }
    if (until.step > this.#until.step) this.#until = until;
  }

  /** Whether a stretch that was read is worth keeping: `step`, the newest in its rows, was the newest when it was read before. */
  isQuiet(key: number, step: bigint): boolean {
    const before = this.#seen.get(key);
    if (this.#seen.size >= SEEN_COUNT_MAX) this.#seen.clear();
    this.#seen.set(key, step);
    return before === step;
  }

  keep(key: number, rows: EdgeRows, until: CountedUntil): void {
    const replaced = this.#kept.get(key);
    if (replaced !== undefined) this.#byteCount -= byteCountOf(replaced.rows);
    this.#kept.delete(key);
    this.#kept.set(key, { rows, step: until.step });
    this.#byteCount += byteCountOf(rows);
    for (const [oldest, { rows: oldestRows }] of this.#kept) {
      if (this.#byteCount <= BYTE_COUNT_MAX) break;
      this.#kept.delete(oldest);
      this.#byteCount -= byteCountOf(oldestRows);
    }
  }
}

/** `minute` since 1970 is the first of `tier` minutes. */
export function stretchKey(tier: number, minute: number): number {
  return minute * 1024 + tier;
}

/** Whether what `before` said can still be so: steps have not begun anew, and no day has expired. */
export function follows(before: CountedUntil, until: CountedUntil): boolean {
  return until.step >= before.step && [...before.days].every((day) => until.days.has(day));
}

/** SQL: of these stretches only rows that a later step has added to. */
export function changedSql(used: ReadonlyMap<number, Kept>): string {
  const byStep = Map.groupBy(used, ([, { step }]) => step);
  const conditions = [...byStep].map(([step, stretches]) => {
    const pairs = stretches.map(([key]) => `(${key % 1024}, ${Math.floor(key / 1024)})`).join(", ");
    return `NOT (step <= ${step} AND (tier, minute) IN (${pairs}))`;
  });
  return conditions.length === 0 ? "1" : conditions.join(" AND ");
}

/** The histogram of a row; it lies in the memory of all. */
export function durationsOf({ ends, buckets, counts }: EdgeRows, row: number): BucketCounts {
  return { buckets, counts, from: ends[row - 1] ?? 0, to: ends[row] ?? 0 };
}

/** These rows as one for each edge and outcome, in memory of their own. */
export function mergeRows(from: EdgeRows, rows: readonly number[]): EdgeRows {
  const groups = [...Map.groupBy(rows, (row) => (from.edge[row] ?? 0) * 2 + (from.isError[row] ?? 0))];
  const slowestNano = new Float64Array(groups.length);
  const slowestTraces = Buffer.alloc(groups.length * 16);
  const ends = new Uint32Array(groups.length);
  const buckets: number[] = [];
  const counts: number[] = [];
  groups.forEach(([, group], at) => {
    for (const row of group) {
      const durationNano = from.slowestNano[row] ?? 0;
      if (durationNano <= (slowestNano[at] ?? 0)) continue;
      slowestNano[at] = durationNano;
      from.slowestTraces.copy(slowestTraces, at * 16, row * 16, row * 16 + 16);
    }
    const sums = sumBuckets(group.map((row) => durationsOf(from, row)));
    buckets.push(...sums.buckets);
    counts.push(...sums.counts);
    ends[at] = buckets.length;
  });
  return {
    edges: from.edges,
    edge: Uint32Array.from(groups, ([key]) => key >>> 1),
    isError: Uint8Array.from(groups, ([key]) => key & 1),
    ends,
    buckets: Uint16Array.from(buckets),
    counts: Int32Array.from(counts),
    slowestNano,
    slowestTraces,
  };
}

function byteCountOf({ isError, buckets, counts }: EdgeRows): number {
  return isError.length * ROW_BYTE_COUNT + buckets.byteLength + counts.byteLength;
}
