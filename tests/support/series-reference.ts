/** What a TraceQL function over time gives for spans in memory: the reference for the engine's figures. Plain and slow on purpose. */
import type { SeriesQuery } from "@callchain/query-api/search/series-query.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { spanMatches } from "./query-reference.ts";
import { numbersOf, textOf } from "./traceql-reference.ts";

/** From `from`, a multiple of the step. Values by step, under a text of the group and, of quantiles and histograms, the quantile and the bucket. Copies of a span count. */
export function figureSeries(
  spans: readonly Span[],
  query: SeriesQuery,
  from: bigint,
  stepNano: bigint,
  stepCount: number,
): Map<string, (number | null)[]> {
  const { field } = query;
  const isWithin = ({ startNano }: Span): boolean => startNano >= from && startNano < from + BigInt(stepCount) * stepNano;
  const measured = spans
    .filter((span) => isWithin(span) && spanMatches(span, query.query.expression))
    .flatMap((span) => {
      const by = JSON.stringify(query.by.map((name) => textOf(span, name)));
      const step = Number(span.startNano / stepNano - from / stepNano);
      const values = field === null ? [0] : field === "duration" ? [Number(span.durationNano)] : numbersOf(span, field);
      return values.map((value) => ({ by, step, value }));
    });
  const series = new Map<string, (number | null)[]>();
  for (const [by, ofGroup] of Map.groupBy(measured, (item) => item.by)) {
    const atStep = (step: number): number[] => ofGroup.flatMap((item) => (item.step === step ? [item.value] : []));
    const put = (name: string, figure: (values: readonly number[]) => number | null): void => {
      series.set(
        `${by} ${name}`,
        Array.from({ length: stepCount }, (_, step) => figure(atStep(step))),
      );
    };
    const orNull = (figure: (values: readonly number[]) => number) => (values: readonly number[]) =>
      values.length === 0 ? null : figure(values);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    switch (query.function) {
      case "rate":
        put("", (values) => (values.length * 1e9) / Number(stepNano));
        break;
      case "count_over_time":
        put("", (values) => values.length);
        break;
      case "min_over_time":
        put(
          "",
          orNull((values) => Math.min(...values)),
        );
        break;
      case "max_over_time":
        put(
          "",
          orNull((values) => Math.max(...values)),
        );
        break;
      case "sum_over_time":
        put("", orNull(sum));
        break;
      case "avg_over_time":
        put(
          "",
          orNull((values) => sum(values) / values.length),
        );
        break;
      case "quantile_over_time":
        for (const quantile of query.quantiles) {
          const rank = (values: readonly number[]): number =>
            values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(quantile * values.length))] ?? Number.NaN;
          put(String(quantile), orNull(rank));
        }
        break;
      default:
        for (const bucket of new Set(ofGroup.map(({ value }) => bucketOf(value))))
          put(String(bucket), (values) => values.filter((value) => bucketOf(value) === bucket).length);
    }
  }
  return series;
}

/** The smallest power of two that is not below the value, and not below 1. */
function bucketOf(value: number): number {
  let atMost = 1;
  while (atMost < value) atMost *= 2;
  return atMost;
}
