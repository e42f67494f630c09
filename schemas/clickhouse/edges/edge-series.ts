/** Calls counted by edge, minute, outcome and duration. Pure. */

export type EdgeRole = "call" | "handover" | "database" | "publish" | "consume" | "named" | "external";

/** Callers and callees are names of services, and for the other end of a peer its own name. */
export interface Edge {
  readonly role: EdgeRole;
  readonly caller: string;
  readonly callee: string;
  /** Of a database: its kind. */
  readonly system: string;
}

export interface EdgeCounts {
  readonly edge: Edge;
  /** Since 1970. */
  readonly minute: number;
  readonly isError: boolean;
  /** By bucket of duration; below zero what is taken back. */
  readonly durations: ReadonlyMap<number, number>;
  /** The longest of those added, and its trace; null where all are taken back. */
  readonly slowest: { readonly durationNano: number; readonly traceId: string } | null;
}

interface Cell {
  readonly durations: Map<number, number>;
  slowestNano: number;
  /** Where its span is in the columns; -1: none. */
  slowestRow: number;
}

/** Rows of one edge. */
export class EdgeSeries {
  readonly edge: Edge;
  readonly #cells = new Map<number, Cell>();

  constructor(edge: Edge) {
    this.edge = edge;
  }

  /** `weight` 1, or -1 for what was counted before and is not so. */
  add(minute: number, isError: boolean, bucket: number, weight: number, durationNano: number, row: number): void {
    const key = minute * 2 + (isError ? 1 : 0);
    let cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, (cell = { durations: new Map(), slowestNano: -1, slowestRow: -1 }));
    cell.durations.set(bucket, (cell.durations.get(bucket) ?? 0) + weight);
    if (weight < 0 || durationNano <= cell.slowestNano) return;
    cell.slowestNano = durationNano;
    cell.slowestRow = row;
  }

  *counts(traceIdOf: (row: number) => string): Generator<EdgeCounts> {
    for (const [key, { durations, slowestNano, slowestRow }] of this.#cells) {
      yield {
        edge: this.edge,
        minute: Math.floor(key / 2),
        isError: key % 2 === 1,
        durations,
        slowest: slowestRow < 0 ? null : { durationNano: slowestNano, traceId: traceIdOf(slowestRow) },
      };
    }
  }
}
