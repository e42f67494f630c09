/** What a query over time keeps of its series, step by step. Pure. */
import type { Series } from "@callchain/schemas/api/series.ts";
import { compareNumbers } from "../search/compare-numbers.ts";
import type { SeriesStage } from "../search/series-query.ts";

/** Values that are not kept are null; a series that has none left is gone. Between equals the earlier series wins. */
export function applyStages(series: readonly Series[], stages: readonly SeriesStage[]): Series[] {
  return stages.reduce<Series[]>((kept, stage) => applyStage(kept, stage), [...series]);
}

function applyStage(series: readonly Series[], stage: SeriesStage): Series[] {
  const kept = stage.kind === "threshold" ? keepBeyond(series, stage) : keepExtreme(series, stage.count, stage.kind === "topk");
  return kept.filter(({ values }) => values.some((value) => value !== null));
}

function keepBeyond(series: readonly Series[], { comparison, literal }: SeriesStage & { kind: "threshold" }): Series[] {
  const isNumber = literal.type === "int" || literal.type === "double" || literal.type === "duration";
  const bound = isNumber ? Number(literal.value) : Number.NaN;
  return series.map((one) => ({
    ...one,
    values: one.values.map((value) => (value !== null && compareNumbers(value, comparison, bound) ? value : null)),
  }));
}

function keepExtreme(series: readonly Series[], count: number, isTop: boolean): Series[] {
  const kept = series.map((one) => ({ ...one, values: one.values.map((): number | null => null) }));
  const stepCount = series[0]?.values.length ?? 0;
  for (let step = 0; step < stepCount; step += 1) {
    const ranked = series
      .flatMap(({ values }, at) => {
        const value = values[step] ?? null;
        return value === null ? [] : [{ at, value }];
      })
      .toSorted((a, b) => (isTop ? b.value - a.value : a.value - b.value));
    for (const { at, value } of ranked.slice(0, count)) {
      const values = kept[at]?.values;
      if (values !== undefined) values[step] = value;
    }
  }
  return kept;
}
