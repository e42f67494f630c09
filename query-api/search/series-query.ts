/**
 * TraceQL's metrics: a figure of the matching spans over time, as a whole or by fields.
 *
 *   { status = error } | rate() by(resource.service.name)
 *   { kind = server } | quantile_over_time(duration, 0.5, 0.99)
 */
import { formatField, formatQuery, type GroupField, type Query } from "./query.ts";
import type { NumericField } from "./trace-query.ts";

/** What each takes: nothing, a number of the span, or such a number and quantiles. */
export const SERIES_FUNCTIONS = {
  rate: "nothing",
  count_over_time: "nothing",
  min_over_time: "number",
  max_over_time: "number",
  avg_over_time: "number",
  sum_over_time: "number",
  histogram_over_time: "number",
  quantile_over_time: "quantiles",
} as const satisfies Record<string, "nothing" | "number" | "quantiles">;
export type SeriesFunction = keyof typeof SERIES_FUNCTIONS;

export interface SeriesQuery {
  readonly query: Query;
  readonly function: SeriesFunction;
  /** null for rate and count_over_time. */
  readonly field: NumericField | null;
  /** From 0 to 1, of quantile_over_time; else []. */
  readonly quantiles: readonly number[];
  readonly by: readonly GroupField[];
}

export const QUANTILE_COUNT_MAX = 10;

export function isSeriesFunction(text: string): text is SeriesFunction {
  return Object.hasOwn(SERIES_FUNCTIONS, text);
}

/** In TraceQL; parsing it gives the same query again. */
export function formatSeriesQuery({ query, function: name, field, quantiles, by }: SeriesQuery): string {
  const taken = field === null ? [] : [field === "duration" ? field : formatField(field), ...quantiles.map(String)];
  const grouped = by.length === 0 ? "" : ` by(${by.map(formatField).join(", ")})`;
  return `${formatQuery(query)} | ${name}(${taken.join(", ")})${grouped}`;
}
