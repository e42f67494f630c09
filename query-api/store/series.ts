/** TraceQL's functions over time: one figure, some quantiles or a histogram of the matching spans for each step and group. */
import type { Series, SeriesAnswer } from "@callchain/schemas/api/series.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { Bindings } from "../search/bindings.ts";
import { compileNumber } from "../search/compile-operand.ts";
import type { CompiledQuery } from "../search/compile.ts";
import { formatField, type GroupField, type Query } from "../search/query.ts";
import { formatSeriesQuery, type FigureQuery, type SeriesQuery } from "../search/series-query.ts";
import { isDuration } from "../search/trace-query.ts";
import { chooseStep, type ChosenStep } from "./choose-step.ts";
import { compareSpans } from "./compare.ts";
import { compileInRange } from "./compile-in-range.ts";
import { countCalls } from "./count-spans.ts";
import { compileGroupField } from "./group-by.ts";
import { IN_RANGE, buildScan, estimateSpanCount, quantilesSql, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { planRollup } from "./rollup-plan.ts";
import { applyStages } from "./series-stages.ts";
import { chooseStepNano, countPoints } from "./steps.ts";

/** Groups among which topk(), bottomk() and thresholds choose. */
const RANKED_GROUP_COUNT_MAX = 2_000;

export interface SeriesQuestion<Q extends SeriesQuery = SeriesQuery> {
  readonly range: TimeRange;
  readonly query: Q;
  /** The spans that the figures are of. */
  readonly spans: Query;
  /** null: of a round length, 60 to 120 of them where the range allows; of what the rollups count, chooseStep's. */
  readonly stepNano: bigint | null;
  readonly groupCountMax: number;
}

/** A group's values as a JSON array of texts and nulls. */
interface GroupRow {
  readonly by: string;
}

interface PointRow extends GroupRow {
  readonly point: string;
  /** The power of two of the bucket, 0 but for histograms. */
  readonly bucket: number;
  /** Spans that have the number. */
  readonly spans: string;
  /** One but for quantiles. */
  readonly figures: readonly (number | null)[];
}

/** Throws Failure "timeout" or "overloaded" at the limits in force. */
export async function getSeries(question: SeriesQuestion, asking: Asking): Promise<SeriesAnswer> {
  const { range, query } = question;
  const step = await chooseSeriesStep(question, asking);
  const { stepNano } = step;
  const times = Array.from({ length: countPoints(range, stepNano) }, (_, at) =>
    ((range.from / stepNano + BigInt(at)) * stepNano).toString(),
  );
  const told = { fromNano: range.from.toString(), toNano: range.to.toString(), stepSeconds: Number(stepNano) / 1e9, times };
  const answer =
    query.kind === "compare"
      ? { unit: "spans" as const, ...(await compareSpans(query, question.spans, range, stepNano, asking)) }
      : { unit: unitOf(query), ...(await getFigures({ ...question, query }, step, asking)) };
  return { ...told, query: formatSeriesQuery(query), ...answer };
}

async function chooseSeriesStep({ range, query, spans, stepNano }: SeriesQuestion, asking: Asking): Promise<ChosenStep> {
  if (query.kind === "figures" && isCount(query))
    return await chooseStep({ range, query: spans, by: groupOf(query), stepNano }, asking);
  return { stepNano: stepNano ?? chooseStepNano(range), scans: [] };
}

interface ReadFigures {
  /** The largest ones first. */
  readonly shown: readonly string[];
  readonly isCut: boolean;
  readonly points: readonly PointRow[];
  readonly scans: readonly ScanFigures[];
}

async function getFigures(
  question: SeriesQuestion<FigureQuery>,
  step: ChosenStep,
  asking: Asking,
): Promise<Pick<SeriesAnswer, "series" | "scan">> {
  const startedMs = performance.now();
  const { range, query, groupCountMax } = question;
  const { stepNano } = step;
  const askedCount = query.stages.length === 0 ? groupCountMax : RANKED_GROUP_COUNT_MAX;
  const isCounted =
    isCount(query) && planRollup(range, { kind: "step", nano: stepNano }, question.spans, groupOf(query)) !== null;
  const read = isCounted ? readCounts : readFigures;
  const { shown, isCut, points, scans } = await read(question, stepNano, askedCount, asking);
  const all = buildSeries(query, range, stepNano, shown, points);
  const kept = applyStages(all, query.stages);
  const series = firstGroups(kept, groupCountMax);
  const reasons = [
    ...(isCut && query.stages.length > 0
      ? [`Among the ${askedCount} largest groups was chosen; there are more: narrow the query.`]
      : []),
    ...((isCut && query.stages.length === 0) || series.length < kept.length
      ? [`The ${groupCountMax} largest groups are shown; there are more: narrow the query or raise groups.`]
      : []),
  ];
  return { series, scan: buildScan([...step.scans, ...scans], startedMs, reasons) };
}

/** Spans are counted, of everything or in groups of one field: the rollups may tell. */
function isCount({ function: name, by }: FigureQuery): boolean {
  return (name === "rate" || name === "count_over_time") && by.length <= 1;
}

function groupOf({ by }: FigureQuery): GroupField | null {
  return by[0] ?? null;
}

async function readCounts(
  { range, query, spans }: SeriesQuestion<FigureQuery>,
  stepNano: bigint,
  askedCount: number,
  asking: Asking,
): Promise<ReadFigures> {
  const selection = { range, query: spans, stepNano, by: groupOf(query), isEntry: false, groups: null };
  const { found, scans } = await countCalls(selection, RANKED_GROUP_COUNT_MAX, asking);
  const points = found.map(({ by, point, figures }): PointRow & { readonly count: number } => ({
    by: JSON.stringify(query.by.length === 0 ? [] : [by]),
    point: String(point),
    bucket: 0,
    spans: String(figures.count),
    figures: [],
    count: figures.count,
  }));
  const sums = new Map<string, number>();
  for (const { by, count } of points) sums.set(by, (sums.get(by) ?? 0) + count);
  const groups = [...sums].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([by]) => by);
  return { shown: groups.slice(0, askedCount), isCut: groups.length > askedCount, points, scans };
}

/** The largest groups first, then their figures by step. */
async function readFigures(
  { range, query, spans }: SeriesQuestion<FigureQuery>,
  stepNano: bigint,
  askedCount: number,
  asking: Asking,
): Promise<ReadFigures> {
  const { database, signal } = asking;
  const compiled = await compileInRange(spans, range, asking);
  const counted = await estimateSpanCount(range, asking);
  const sql = buildSql(query, compiled, counted.count);
  const params = { ...rangeParams(range), ...sql.params };
  const groups = await database.query<GroupRow>(
    `SELECT ${sql.by} AS by FROM spans WHERE ${sql.where} GROUP BY by ORDER BY count() DESC, by LIMIT ${askedCount + 1}`,
    { params, signal },
  );
  const shown = groups.rows.slice(0, askedCount).map(({ by }) => by);
  const points = await database.query<PointRow>(
    `SELECT ${sql.by} AS by, intDiv(toUnixTimestamp64Nano(start), {step:Int64}) AS point, ${sql.bucket} AS bucket, ${sql.figures}
     FROM spans WHERE ${sql.where} AND has({shown:Array(String)}, by) GROUP BY by, point, bucket`,
    { params: { ...params, step: stepNano.toString(), shown }, signal },
  );
  const scans = [...compiled.scans, ...counted.scans, groups.scan, points.scan];
  return { shown, isCut: groups.rows.length > shown.length, points: points.rows, scans };
}

/** Series of one group stand together. */
function firstGroups(series: readonly Series[], countMax: number): Series[] {
  const groups = [...new Set(series.map(({ by }) => JSON.stringify(by)))].slice(0, countMax);
  return series.filter(({ by }) => groups.includes(JSON.stringify(by)));
}

function unitOf({ function: name, operand }: FigureQuery): SeriesAnswer["unit"] {
  if (name === "rate") return "spans/s";
  if (name === "count_over_time" || name === "histogram_over_time") return "spans";
  return isDuration(operand) ? "ns" : "as sent";
}

interface SeriesSql {
  readonly by: string;
  readonly where: string;
  readonly bucket: string;
  readonly figures: string;
  readonly params: Readonly<Record<string, unknown>>;
}

function buildSql(query: FigureQuery, compiled: CompiledQuery, spanCount: number): SeriesSql {
  const bindings = new Bindings("s");
  const values = query.by.map((field) => `CAST(${compileGroupField(field, bindings)}, 'Nullable(String)')`);
  const by = values.length === 0 ? "'[]'" : `toJSONString([${values.join(", ")}])`;
  const number = query.operand === null ? null : compileNumber(query.operand, bindings);
  // Zero and what lies below it are in the lowest bucket; exact powers of two in their own.
  const isHistogram = query.function === "histogram_over_time";
  const bucket = isHistogram && number !== null ? `if(${number} <= 1, 0, toInt32(ceil(log2(${number}))))` : "0";
  const hasNumber = number === null || isDuration(query.operand) ? "1" : `NOT isNaN(${number})`;
  return {
    by,
    where: `${IN_RANGE} AND (${compiled.where}) AND ${hasNumber}`,
    bucket,
    figures: `count() AS spans, ${figuresSql(query, number ?? "0", spanCount)} AS figures`,
    params: { ...compiled.params, ...bindings.params },
  };
}

function figuresSql({ function: name, quantiles }: FigureQuery, number: string, spanCount: number): string {
  switch (name) {
    case "min_over_time":
      return `[min(${number})]`;
    case "max_over_time":
      return `[max(${number})]`;
    case "avg_over_time":
      return `[avg(${number})]`;
    case "sum_over_time":
      return `[sum(${number})]`;
    case "quantile_over_time":
      return `${quantilesSql(spanCount)}(${quantiles.join(", ")})(${number})`;
    default:
      return "CAST([], 'Array(Float64)')";
  }
}

function buildSeries(
  query: FigureQuery,
  range: TimeRange,
  stepNano: bigint,
  shown: readonly string[],
  rows: readonly PointRow[],
): Series[] {
  const count = countPoints(range, stepNano);
  const isNumber = query.operand === null || query.function === "histogram_over_time";
  const byGroup = Map.groupBy(rows, ({ by }) => by);
  // What is counted is 0 where there is nothing, also over the whole range; other figures are not there.
  const groups = shown.length === 0 && query.by.length === 0 && query.operand === null ? ["[]"] : shown;
  return groups.flatMap((group) => {
    const ofGroup = byGroup.get(group) ?? [];
    const buckets =
      query.function === "histogram_over_time"
        ? [...new Set(ofGroup.map(({ bucket }) => bucket))].toSorted((a, b) => a - b)
        : [0];
    const by = readGroup(group, query);
    return buckets.flatMap((bucket) => {
      const points = ofGroup.filter((row) => row.bucket === bucket);
      return (query.quantiles.length === 0 ? [null] : query.quantiles).map((quantile, at) => {
        const values = Array.from({ length: count }, (): number | null => (isNumber ? 0 : null));
        for (const row of points) {
          const step = Number(BigInt(row.point) - range.from / stepNano);
          values[step] = valueOf(query, row, at, coveredSeconds(range, stepNano, step));
        }
        return { by, side: null, quantile, atMost: query.function === "histogram_over_time" ? 2 ** bucket : null, values };
      });
    });
  });
}

function valueOf({ function: name }: FigureQuery, row: PointRow, at: number, seconds: number): number | null {
  if (name === "rate") return Number(row.spans) / seconds;
  if (name === "count_over_time" || name === "histogram_over_time") return Number(row.spans);
  return row.figures[at] ?? null;
}

/** The range may cut the first step and the last. */
function coveredSeconds({ from, to }: TimeRange, stepNano: bigint, step: number): number {
  const start = (from / stepNano + BigInt(step)) * stepNano;
  const end = start + stepNano;
  return Number((end < to ? end : to) - (start > from ? start : from)) / 1e9;
}

function readGroup(group: string, { by }: FigureQuery): Series["by"] {
  const values: unknown = JSON.parse(group);
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  return by.map((field, at) => {
    const value = list[at];
    return { field: formatField(field), value: typeof value === "string" ? value : null };
  });
}
