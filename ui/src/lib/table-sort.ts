/** The order of a table, as the URL keeps it: `rate` (largest first) or `-rate` turned round; the default order is left out. */
export interface TableSort<C extends string> {
  readonly column: C;
  readonly descending: boolean;
}

/** `text` is what the URL says; anything that names no column gives the default. A leading `-` is descending. */
export function parseSort<C extends string>(text: string | null, columns: readonly C[], fallback: TableSort<C>): TableSort<C> {
  if (text === null) return fallback;
  const descending = text.startsWith("-");
  const column = columns.find((name) => name === (descending ? text.slice(1) : text));
  return column === undefined ? fallback : { column, descending };
}

export function formatSort<C extends string>(sort: TableSort<C>, fallback: TableSort<C>): string | null {
  if (sort.column === fallback.column && sort.descending === fallback.descending) return null;
  return `${sort.descending ? "-" : ""}${sort.column}`;
}

/** What a click on a column's head does: turns the order round, or starts with the largest (texts: with A). */
export function nextSort<C extends string>(current: TableSort<C>, column: C, isText: boolean): TableSort<C> {
  return current.column === column ? { column, descending: !current.descending } : { column, descending: !isText };
}

/** A sorted copy; absent values come last in both directions, ties keep their order. */
export function sortRows<T>(rows: readonly T[], descending: boolean, valueOf: (row: T) => string | number | null): T[] {
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => ({ row, value: valueOf(row) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) return a.value === b.value ? 0 : a.value === null ? 1 : -1;
      return a.value < b.value ? -sign : a.value > b.value ? sign : 0;
    })
    .map(({ row }) => row);
}
