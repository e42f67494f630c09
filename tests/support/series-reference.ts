/** What a TraceQL function over time gives for spans in memory: the reference for the engine's figures. Plain and slow on purpose. */
import type { CompareQuery, FigureQuery, SeriesStage } from "@callchain/query-api/search/series-query.ts";
import { asSpanQuery, type TraceQuery } from "@callchain/query-api/search/trace-query.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { numberOf } from "./calculation-reference.ts";
import { ordered } from "./figures-reference.ts";
import { plainText, spanMatches } from "./query-reference.ts";
import { findInTraces, textOf, wholeText } from "./traceql-reference.ts";

/** Of those that start in the range (`to` not included), all that the query leaves, with copies. Traces are looked at as far as they go, where the query looks at traces. */
export function spansFound(spans: readonly Span[], query: TraceQuery, from: bigint, to: bigint): Span[] {
  const within = spans.filter(({ startNano }) => startNano >= from && startNano < to);
  const groups = [...findInTraces(asSpanQuery(query) === null ? spans : within, query).values()].flat();
  const found = new Set(groups.flatMap((group) => group.spans.map(wholeText)));
  return within.filter((span) => found.has(wholeText(span)));
}

/** From `from`, a multiple of the step. Values by step, under a text of the group and, of quantiles and histograms, the quantile and the bucket. Copies of a span count. */
export function figureSeries(
  spans: readonly Span[],
  query: FigureQuery,
  from: bigint,
  stepNano: bigint,
  stepCount: number,
): Map<string, (number | null)[]> {
  const { operand } = query;
  const measured = spansFound(spans, query.query, from, from + BigInt(stepCount) * stepNano).flatMap((span) => {
    const by = JSON.stringify(query.by.map((name) => textOf(span, name)));
    const step = Number(span.startNano / stepNano - from / stepNano);
    const value = operand === null ? 0 : numberOf(operand, { span });
    return value === undefined || Number.isNaN(value) ? [] : [{ by, step, value }];
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
  return query.stages.reduce(keepOf, series);
}

/** The order of `series` decides between equals, where the engine's groups go by their size: ties are for the caller to avoid. */
function keepOf(series: Map<string, (number | null)[]>, stage: SeriesStage): Map<string, (number | null)[]> {
  const all = [...series.values()];
  const isKept = (value: number, step: number): boolean => {
    if (stage.kind === "threshold") {
      return "value" in stage.literal && ordered(value, stage.comparison, Number(stage.literal.value));
    }
    const atStep = all.flatMap((values) => values[step] ?? []).toSorted((a, b) => (stage.kind === "topk" ? b - a : a - b));
    return atStep.slice(0, stage.count).includes(value);
  };
  const kept = [...series].map(([key, values]): [string, (number | null)[]] => [
    key,
    values.map((value, step) => (value !== null && isKept(value, step) ? value : null)),
  ]);
  return new Map(kept.filter(([, values]) => values.some((value) => value !== null)));
}

/** Counts by step under `side field value`, of every value of every attribute; totals under `side_total field null`. */
export function compareSeries(
  spans: readonly Span[],
  { query, selection, window }: CompareQuery,
  from: bigint,
  stepNano: bigint,
  stepCount: number,
): Map<string, number[]> {
  const series = new Map<string, number[]>();
  for (const span of spansFound(spans, query, from, from + BigInt(stepCount) * stepNano)) {
    const step = Number(span.startNano / stepNano - from / stepNano);
    const isWithin = window === null || (span.startNano >= window.fromNano && span.startNano < window.toNano);
    const side = isWithin && spanMatches(span, selection.expression) ? "selection" : "baseline";
    const add = (key: string): void => {
      const counts = series.get(key) ?? Array.from({ length: stepCount }, () => 0);
      counts[step] = (counts[step] ?? 0) + 1;
      series.set(key, counts);
    };
    for (const [field, value] of fieldsOf(span)) {
      add(`${side}_total ${field} null`);
      add(`${side} ${field} ${value}`);
    }
  }
  return series;
}

function fieldsOf(span: Span): [string, string | null][] {
  const intrinsics: [string, string][] = [
    ["name", span.name],
    ["kind", span.kind],
    ["status", span.status.code],
    ["statusMessage", span.status.message],
    ["instrumentation:name", span.scope.name],
    ["instrumentation:version", span.scope.version],
  ];
  return [
    ...intrinsics.filter(([, value]) => value !== ""),
    ...span.attributes.map(({ key, value }): [string, string | null] => [`span.${key}`, plainText(value)]),
    ...span.resource.attributes.map(({ key, value }): [string, string | null] => [`resource.${key}`, plainText(value)]),
  ];
}

/** The smallest power of two that is not below the value, and not below 1. */
function bucketOf(value: number): number {
  let atMost = 1;
  while (atMost < value) atMost *= 2;
  return atMost;
}
