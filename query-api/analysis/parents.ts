/**
 * Which span called which: parent edges over positions in canonical order, for any subset of a trace. What cannot be joined is counted,
 * not dropped.
 */
import { KIND, type SpanColumns } from "./columns.ts";
import { IdIndex, formatId, type IdColumn } from "./ids.ts";
import { pick } from "./rows.ts";

export interface ParentEdges {
  /** Position of the parent, or -1 at the top level. */
  readonly parent: Int32Array;
  /** 1 where the parent id names a span that is not here. */
  readonly isOrphan: Uint8Array;
  readonly rootCount: number;
  readonly orphanCount: number;
  readonly missingParentIds: readonly string[];
  readonly missingParentCount: number;
  readonly cycleCount: number;
  readonly conflictCount: number;
}

const MISSING_IDS_MAX = 100;
/** Of spans that share an id at most this many are looked at, so that a million spans under one id cost no more than any other. */
const SHARED_MAX = 8;

/** `rows` in canonical order without copies. */
export function joinParents(columns: SpanColumns, rows: Uint32Array, spanIds: IdColumn, parentIds: IdColumn): ParentEdges {
  const index = new IdIndex(spanIds, rows);
  const parent = new Int32Array(rows.length).fill(-1);
  const isOrphan = new Uint8Array(rows.length);
  const finder = new ParentFinder(columns, rows, spanIds, parentIds, index);
  let rootCount = 0;
  let conflictCount = 0;
  let selfParentCount = 0;
  const orphans: number[] = [];
  for (let at = 0; at < rows.length; at += 1) {
    const half = finder.clientHalf(at);
    if (finder.sharesEarlierId(at)) conflictCount += 1;
    if (half >= 0) conflictCount -= 1;
    if (half >= 0) parent[at] = half;
    else if (finder.hasNoParent(at)) rootCount += 1;
    else if (finder.isItsOwnParent(at)) selfParentCount += 1;
    else {
      parent[at] = finder.find(at);
      if (parent[at] !== -1) continue;
      isOrphan[at] = 1;
      orphans.push(at);
    }
  }
  const missing = listMissing(rows, parentIds, orphans);
  const cycleCount = selfParentCount + cutCycles(parent);
  return { parent, isOrphan, rootCount, orphanCount: orphans.length, ...missing, cycleCount, conflictCount };
}

class ParentFinder {
  readonly #columns: SpanColumns;
  readonly #rows: Uint32Array;
  readonly #spanIds: IdColumn;
  readonly #parentIds: IdColumn;
  readonly #index: IdIndex;

  constructor(columns: SpanColumns, rows: Uint32Array, spanIds: IdColumn, parentIds: IdColumn, index: IdIndex) {
    this.#columns = columns;
    this.#rows = rows;
    this.#spanIds = spanIds;
    this.#parentIds = parentIds;
    this.#index = index;
  }

  hasNoParent(at: number): boolean {
    const row = this.#rows[at] ?? 0;
    return this.#parentIds.high[row] === 0 && this.#parentIds.low[row] === 0;
  }

  isItsOwnParent(at: number): boolean {
    const row = this.#rows[at] ?? 0;
    return this.#parentIds.high[row] === this.#spanIds.high[row] && this.#parentIds.low[row] === this.#spanIds.low[row];
  }

  sharesEarlierId(at: number): boolean {
    return this.#firstWithId(at) !== at;
  }

  /**
   * Zipkin's client and server report the two sides of one call under one id and one parent. The server's half hangs under the
   * client's half. -1 where `at` is no such server half.
   */
  clientHalf(at: number): number {
    const first = this.#firstWithId(at);
    if (first === at && this.#index.next(at) === -1) return -1;
    const kind = this.#kindOf(at);
    const other = kind === KIND.server ? KIND.client : kind === KIND.consumer ? KIND.producer : -1;
    let looked = 0;
    for (let half = first; half >= 0 && looked < SHARED_MAX; half = this.#index.next(half), looked += 1) {
      if (half !== at && this.#kindOf(half) === other && this.#haveSameParentId(half, at)) return half;
    }
    return -1;
  }

  /** The span that the parent id names; of several the one of the same service, else the side that did the work, else the first. */
  find(at: number): number {
    const row = this.#rows[at] ?? 0;
    const first = this.#index.first(this.#parentIds.high[row] ?? 0, this.#parentIds.low[row] ?? 0);
    if (first < 0 || this.#index.next(first) === -1) return first;
    let best = first;
    let bestRank = -1;
    let looked = 0;
    for (let candidate = first; candidate >= 0 && looked < SHARED_MAX; candidate = this.#index.next(candidate), looked += 1) {
      const candidateRow = this.#rows[candidate] ?? 0;
      const isWorker = this.#columns.kind[candidateRow] === KIND.server || this.#columns.kind[candidateRow] === KIND.consumer;
      const rank = (this.#columns.service[candidateRow] === this.#columns.service[row] ? 2 : 0) + (isWorker ? 1 : 0);
      if (rank > bestRank) {
        best = candidate;
        bestRank = rank;
      }
    }
    return best;
  }

  #firstWithId(at: number): number {
    const row = this.#rows[at] ?? 0;
    return this.#index.first(this.#spanIds.high[row] ?? 0, this.#spanIds.low[row] ?? 0);
  }

  #kindOf(at: number): number {
    return this.#columns.kind[this.#rows[at] ?? 0] ?? 0;
  }

  #haveSameParentId(a: number, b: number): boolean {
    const rowA = this.#rows[a] ?? 0;
    const rowB = this.#rows[b] ?? 0;
    return this.#parentIds.high[rowA] === this.#parentIds.high[rowB] && this.#parentIds.low[rowA] === this.#parentIds.low[rowB];
  }
}

function listMissing(
  rows: Uint32Array,
  parentIds: IdColumn,
  orphans: readonly number[],
): { missingParentIds: string[]; missingParentCount: number } {
  if (orphans.length === 0) return { missingParentIds: [], missingParentCount: 0 };
  const orphanRows = pick(rows, Uint32Array.from(orphans), new Uint32Array(orphans.length));
  const index = new IdIndex(parentIds, orphanRows);
  const missingParentIds: string[] = [];
  let missingParentCount = 0;
  orphanRows.forEach((row, at) => {
    if (index.first(parentIds.high[row] ?? 0, parentIds.low[row] ?? 0) !== at) return;
    missingParentCount += 1;
    if (missingParentIds.length < MISSING_IDS_MAX) missingParentIds.push(formatId(parentIds, row));
  });
  return { missingParentIds, missingParentCount };
}

/**
 * Cuts each cycle at its earliest member, which then stands at the top level; the same cut whatever the order of arrival. Each span
 * has one parent, so a walk upwards meets at most one cycle. Returns how many edges were cut.
 */
function cutCycles(parent: Int32Array): number {
  const walkOf = new Int32Array(parent.length);
  let cycleCount = 0;
  for (let start = 0; start < parent.length; start += 1) {
    const walk = start + 1;
    let at = start;
    while (at >= 0 && walkOf[at] === 0) {
      walkOf[at] = walk;
      at = parent[at] ?? -1;
    }
    if (at < 0 || walkOf[at] !== walk) continue;
    let earliest = at;
    for (let member = parent[at] ?? -1; member !== at && member >= 0; member = parent[member] ?? -1) {
      if (member < earliest) earliest = member;
    }
    parent[earliest] = -1;
    cycleCount += 1;
  }
  return cycleCount;
}
