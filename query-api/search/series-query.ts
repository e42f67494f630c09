/**
 * TraceQL's metrics: a figure of the matching spans over time, as a whole or by fields, and what of it is kept.
 *
 *   { status = error } | rate() by(resource.service.name) | topk(5)
 *   { kind = server } | quantile_over_time(duration, 0.5, 0.99) > 250ms
 *   { name = "checkout" } >> { kind = client } | rate()
 *   { } | compare({ status = error }, 5)
 */
import {
  formatField,
  formatLiteral,
  formatOperand,
  formatQuery,
  unreachable,
  type Comparison,
  type GroupField,
  type Literal,
  type Operand,
  type Query,
} from "./query.ts";
import { formatTraceQuery, type TraceQuery } from "./trace-query.ts";

/** What each takes: nothing, a number of the span, such a number and quantiles, or a selection. */
export const SERIES_FUNCTIONS = {
  rate: "nothing",
  count_over_time: "nothing",
  min_over_time: "number",
  max_over_time: "number",
  avg_over_time: "number",
  sum_over_time: "number",
  histogram_over_time: "number",
  quantile_over_time: "quantiles",
  compare: "selection",
} as const satisfies Record<string, "nothing" | "number" | "quantiles" | "selection">;
type AnyFunction = keyof typeof SERIES_FUNCTIONS;
export type SeriesFunction = Exclude<AnyFunction, "compare">;

/** Keeps, step by step, what it says of the series. */
export type SeriesStage =
  | { readonly kind: "topk" | "bottomk"; readonly count: number }
  | { readonly kind: "threshold"; readonly comparison: Comparison; readonly literal: Literal };

export interface FigureQuery {
  readonly kind: "figures";
  readonly query: TraceQuery;
  readonly function: SeriesFunction;
  /** null for rate and count_over_time. */
  readonly operand: Operand | null;
  /** From 0 to 1, of quantile_over_time; else []. */
  readonly quantiles: readonly number[];
  readonly by: readonly GroupField[];
  readonly stages: readonly SeriesStage[];
}

/** Matching spans parted in two, and how often each value of each attribute is on either side. */
export interface CompareQuery {
  readonly kind: "compare";
  readonly query: TraceQuery;
  readonly selection: Query;
  /** Values of each attribute and side. */
  readonly topCount: number;
  /** Where the selection lies in time; null: no further than the question. */
  readonly window: { readonly fromNano: bigint; readonly toNano: bigint } | null;
}

export type SeriesQuery = FigureQuery | CompareQuery;

export const QUANTILE_COUNT_MAX = 10;
export const TOP_COUNT_MAX = 100;
/** As Tempo's. */
export const TOP_COUNT_FALLBACK = 10;

export function isSeriesFunction(text: string): text is AnyFunction {
  return Object.hasOwn(SERIES_FUNCTIONS, text);
}

/** In TraceQL; parsing it gives the same query again. */
export function formatSeriesQuery(query: SeriesQuery): string {
  return `${formatTraceQuery(query.query)} | ${query.kind === "compare" ? formatCompare(query) : formatFigures(query)}`;
}

function formatCompare({ selection, topCount, window }: CompareQuery): string {
  const bounds = window === null ? [] : [window.fromNano, window.toNano];
  return `compare(${[formatQuery(selection), topCount, ...bounds].join(", ")})`;
}

function formatFigures({ function: name, operand, quantiles, by, stages }: FigureQuery): string {
  const taken = operand === null ? [] : [formatOperand(operand), ...quantiles.map(String)];
  const grouped = by.length === 0 ? "" : ` by(${by.map(formatField).join(", ")})`;
  return `${name}(${taken.join(", ")})${grouped}${stages.map(formatStage).join("")}`;
}

function formatStage(stage: SeriesStage): string {
  switch (stage.kind) {
    case "topk":
    case "bottomk":
      return ` | ${stage.kind}(${stage.count})`;
    case "threshold":
      return ` ${stage.comparison} ${formatLiteral(stage.literal)}`;
    default:
      return unreachable(stage);
  }
}
