/**
 * One order for any permutation of the same rows: by start, then by everything else that tells rows apart. Rows that are equal in
 * all of it are copies of one span and stand side by side.
 */
import type { SpanColumns } from "./columns.ts";
import type { IdColumn } from "./ids.ts";
import { countUp } from "./rows.ts";

export interface SortedRows {
  /** Rows in canonical order, without copies. */
  readonly rows: Uint32Array;
  readonly duplicateCount: number;
}

/** `start` is by row, in the order of the instants; where it is equal, these decide. */
export function sortRows(columns: SpanColumns, start: Float64Array, spanIds: IdColumn, parentIds: IdColumn): SortedRows {
  const compare = rowComparison(columns, start, spanIds, parentIds);
  const sorted = countUp(columns.count);
  // The database sends rows by start and span id, so that there is mostly nothing left to sort.
  if (!isSorted(sorted, compare)) sorted.sort(compare);
  const rows = new Uint32Array(columns.count);
  let kept = 0;
  for (const row of sorted) {
    const isCopy = kept > 0 && compare(rows[kept - 1] ?? 0, row) === 0;
    if (isCopy) continue;
    rows[kept] = row;
    kept += 1;
  }
  return { rows: rows.subarray(0, kept), duplicateCount: columns.count - kept };
}

type RowComparison = (a: number, b: number) => number;

function isSorted(rows: Uint32Array, compare: RowComparison): boolean {
  for (let at = 1; at < rows.length; at += 1) if (compare(rows[at - 1] ?? 0, rows[at] ?? 0) > 0) return false;
  return true;
}

function rowComparison(columns: SpanColumns, start: Float64Array, spanIds: IdColumn, parentIds: IdColumn): RowComparison {
  const { startNano, durationNano, kind, status, has } = columns;
  const numbers = [spanIds.high, spanIds.low, parentIds.high, parentIds.low, durationNano, kind, status, has];
  const texts = [
    [columns.service, columns.services],
    [columns.name, columns.names],
    [columns.host, columns.hosts],
  ] as const;
  return (a, b) => {
    const apart = (start[a] ?? 0) - (start[b] ?? 0);
    if (apart !== 0) return apart;
    const startA = startNano[a] ?? 0n;
    const startB = startNano[b] ?? 0n;
    if (startA !== startB) return startA < startB ? -1 : 1;
    for (const column of numbers) {
      const difference = (column[a] ?? 0) - (column[b] ?? 0);
      if (difference !== 0) return difference;
    }
    for (const [indexes, dictionary] of texts) {
      const textA = dictionary[indexes[a] ?? 0] ?? "";
      const textB = dictionary[indexes[b] ?? 0] ?? "";
      if (textA !== textB) return textA < textB ? -1 : 1;
    }
    return 0;
  };
}
