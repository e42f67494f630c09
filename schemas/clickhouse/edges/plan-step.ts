/** Which spans the next step of counting edges takes. */
import type { SpanDatabase } from "../database.ts";
import { positionsFrom, type LogEnds } from "../log-positions.ts";

export interface EdgeStep {
  /** Of the step before; 0: there is none. */
  readonly after: bigint;
  /** The day of arrival of its spans; with them the rows expire. */
  readonly day: string;
  readonly from: LogEnds;
  /** Only partitions that the step moves. */
  readonly to: LogEnds;
  /** About so many. */
  readonly spanCount: number;
  /** About so many spans no step has counted, with these. */
  readonly uncountedCount: number;
}

export const STEP_SETTINGS = { select_sequential_consistency: 1, optimize_use_projections: 1 };

/** Spans of a log partition that arrived on one day and are not counted. */
interface Piece {
  readonly partition: number;
  readonly day: string;
  readonly spanCount: number;
  readonly first: bigint;
  /** After the last one. */
  readonly end: bigint;
}

interface PieceRow {
  readonly partition: number;
  readonly day: string;
  readonly spans: string;
  readonly first: string;
  readonly end: string;
}

/**
 * Plans one step after the other. It remembers what waits and looks only at what has arrived since: of a hundred million spans, which an hour of
 * 30,000 a second leaves behind, looking at all takes two seconds of CPU, longer than a step.
 */
export class EdgeStepPlanner {
  readonly #database: SpanDatabase;
  #pieces: readonly Piece[] = [];
  /** Where the steps had come to when it planned last. */
  #counted: LogEnds = new Map();
  /** What lies before is counted or among the pieces. */
  #seen: LogEnds = new Map();

  constructor(database: SpanDatabase) {
    this.#database = database;
  }

  /** The next step, of about `spanCountMax` spans that arrived on one day; null where all are counted. */
  async plan(spanCountMax: number, signal?: AbortSignal): Promise<EdgeStep | null> {
    const options = { settings: STEP_SETTINGS, ...(signal === undefined ? {} : { signal }) };
    const marks = await this.#database.query<{ partition: number; next: string; step: string }>(
      "SELECT log_partition AS partition, max(log_next) AS next, max(step) AS step FROM edge_rollups WHERE tier = 0 GROUP BY partition",
      options,
    );
    const from = new Map(marks.rows.map(({ partition, next }) => [partition, BigInt(next)]));
    const after = marks.rows.reduce((last, { step }) => (BigInt(step) > last ? BigInt(step) : last), 0n);
    this.#followMarks(from);
    const { rows } = await this.#database.query<PieceRow>(
      `SELECT log_partition AS partition, toString(ingest_day) AS day, count() AS spans, min(log_offset) AS first, max(log_offset) + 1 AS end
       FROM spans WHERE ${positionsFrom(this.#seen)} GROUP BY partition, day`,
      options,
    );
    this.#addArrived(rows);
    return chooseStep(this.#pieces, { after, from, spanCountMax });
  }

  /**
   * Whoever took the steps. Looks anew where marks went back, since the table was emptied, and where days lie one in the other: which of them comes
   * next only the spans tell.
   */
  #followMarks(from: LogEnds): void {
    const isBack = [...this.#counted].some(([partition, next]) => (from.get(partition) ?? 0n) < next);
    const rest = this.#pieces.flatMap((piece) => restOf(piece, from.get(piece.partition) ?? 0n));
    const isMixed = rest.some((piece, at) => {
      const before = rest[at - 1];
      return before !== undefined && before.partition === piece.partition && piece.first < before.end;
    });
    this.#counted = from;
    this.#pieces = isBack || isMixed ? [] : rest;
    this.#seen = isBack || isMixed ? from : laterOf([...this.#seen, ...from]);
  }

  #addArrived(rows: readonly PieceRow[]): void {
    const arrived = rows.map(({ partition, day, spans, first, end }): Piece => ({
      partition,
      day,
      spanCount: Number(spans),
      first: BigInt(first),
      end: BigInt(end),
    }));
    this.#pieces = [...Map.groupBy([...this.#pieces, ...arrived], ({ partition, day }) => `${partition} ${day}`).values()]
      .map((pieces) => pieces.reduce(joinPieces))
      .toSorted((a, b) => a.partition - b.partition || (a.first < b.first ? -1 : 1));
    this.#seen = laterOf([...this.#seen, ...arrived.map(({ partition, end }) => [partition, end] as const)]);
  }
}

/** As a planner that has seen nothing before. */
export async function planEdgeStep(database: SpanDatabase, spanCountMax: number, signal?: AbortSignal): Promise<EdgeStep | null> {
  return await new EdgeStepPlanner(database).plan(spanCountMax, signal);
}

function laterOf(ends: readonly (readonly [number, bigint])[]): LogEnds {
  const later = new Map<number, bigint>();
  for (const [partition, end] of ends) if (end > (later.get(partition) ?? 0n)) later.set(partition, end);
  return later;
}

/** As if the spans lay evenly. */
function restOf(piece: Piece, next: bigint): Piece[] {
  if (next <= piece.first) return [piece];
  if (next >= piece.end) return [];
  const share = Number(piece.end - next) / Number(piece.end - piece.first);
  return [{ ...piece, first: next, spanCount: Math.ceil(piece.spanCount * share) }];
}

function joinPieces(a: Piece, b: Piece): Piece {
  return {
    ...a,
    spanCount: a.spanCount + b.spanCount,
    first: a.first < b.first ? a.first : b.first,
    end: a.end > b.end ? a.end : b.end,
  };
}

/** `pieces` in the order of their partitions and positions. */
function chooseStep(
  pieces: readonly Piece[],
  { after, from, spanCountMax }: { readonly after: bigint; readonly from: LogEnds; readonly spanCountMax: number },
): EdgeStep | null {
  const [some] = pieces;
  if (some === undefined) return null;
  const next = [...Map.groupBy(pieces, ({ partition }) => partition).values()].flatMap(([first, second]) =>
    first === undefined ? [] : [{ ...first, end: second !== undefined && second.first < first.end ? second.first : first.end }],
  );
  const day = next.reduce((earliest, piece) => (piece.day < earliest ? piece.day : earliest), some.day);
  const taken = next.filter((piece) => piece.day === day);
  const spanCount = taken.reduce((sum, piece) => sum + piece.spanCount, 0);
  const parts = BigInt(Math.max(1, Math.ceil(spanCount / spanCountMax)));
  const to = new Map(taken.map(({ partition, first, end }) => [partition, first + (end - first + parts - 1n) / parts]));
  const uncountedCount = pieces.reduce((sum, piece) => sum + piece.spanCount, 0);
  return { after, day, from, to, spanCount: Math.ceil(spanCount / Number(parts)), uncountedCount };
}
