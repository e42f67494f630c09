/**
 * One order for any permutation of the same rows: by start, then by everything else that tells rows apart. Rows that are equal in
 * all of it are copies of one span and stand side by side.
 */
import type { SpanColumns } from "./columns.ts";
import type { IdColumn } from "./ids.ts";

export interface SortedRows {
  /** Rows in canonical order, without copies. */
  readonly rows: Uint32Array;
  readonly duplicateCount: number;
}

export function sortRows(columns: SpanColumns, spanIds: IdColumn, parentIds: IdColumn): SortedRows {
  const compare = rowComparison(columns, spanIds, parentIds);
  const sorted = new Uint32Array(columns.count).map((_, row) => row);
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

function rowComparison(columns: SpanColumns, spanIds: IdColumn, parentIds: IdColumn): RowComparison {
  const { startNano, durationNano, kind, status, has } = columns;
  // Rounding keeps order, so that only equal numbers need their bigints looked at.
  const first = startNano[0] ?? 0n;
  const start = Float64Array.from(startNano, (value) => Number(value - first));
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
