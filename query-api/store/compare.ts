/**
 * TraceQL's compare(): the matching spans parted into a selection and its baseline, and how many of either have each value of each
 * attribute, step by step. Two statements: the most frequent values of either side, then these by step, with what any value has in all.
 */
import type { Series, SeriesAnswer } from "@callchain/schemas/api/series.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { attribute, formatField, type Query } from "../search/query.ts";
import type { CompareQuery } from "../search/series-query.ts";
import { compileInRange, type CompiledInRange } from "./compile-in-range.ts";
import { askWithinLimits } from "./limits.ts";
import { IN_RANGE, buildScan, instantSql, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { countPoints } from "./steps.ts";

const TIMEOUT_MS = 12_000;
/** Of more matching spans a sample is looked at: 10 us each, with all their attributes. */
const SAMPLE_SPAN_COUNT = 50_000;
/** Windows in each step from which the sample is. */
const WINDOWS_PER_STEP = 4n;
/** A sample of so many times fewer spans than it should have is none. */
const SHORT_OF_MAX = 10;
const FIELD_COUNT_MAX = 100;
/** Of all fields together. */
const VALUE_COUNT_MAX = 4_000;
/** Longer values are cut, and counted together where they begin alike. */
const VALUE_CHARS_MAX = 500;

type Place = "intrinsic" | "span" | "resource";

interface ValueRow {
  readonly is_selected: number;
  readonly place: Place;
  readonly key: string;
  readonly value: string;
  readonly hash: string;
  readonly field_hash: string;
  readonly n: string;
}

interface Point {
  readonly is_selected: number;
  readonly place: Place;
  readonly key: string;
  /** null: values that are not shown. */
  readonly shown: string | null;
  readonly point: string;
}

type PointCount = Point & { readonly n: number };

/** Throws Failure "timeout" or "overloaded" where even a sixteenth of the range is too much. */
export async function compareSpans(
  query: CompareQuery,
  spans: Query,
  range: TimeRange,
  stepNano: bigint,
  asking: Asking,
  sampleMax = SAMPLE_SPAN_COUNT,
): Promise<Pick<SeriesAnswer, "series" | "scan">> {
  const startedMs = performance.now();
  const { answer, reasons } = await askWithinLimits(range, asking, (part) =>
    compareWithin(query, spans, part, stepNano, asking, sampleMax),
  );
  return {
    series: buildSeries(answer.values, answer.points, range, stepNano),
    scan: buildScan(answer.scans, startedMs, [...reasons, ...answer.partialReasons]),
  };
}

interface Compared {
  readonly values: readonly ValueRow[];
  readonly points: readonly PointCount[];
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

async function compareWithin(
  query: CompareQuery,
  spans: Query,
  range: TimeRange,
  stepNano: bigint,
  asking: Asking,
  sampleMax: number,
): Promise<Compared> {
  const matching = await compileInRange(spans, range, asking, "q");
  const { rows, scan } = await asking.database.query<{ n: string }>(
    `SELECT count() AS n FROM spans WHERE ${IN_RANGE} AND (${matching.where})`,
    { params: { ...matching.params, ...rangeParams(range) }, signal: asking.signal, timeoutMs: TIMEOUT_MS },
  );
  const matchingCount = Number(rows[0]?.n ?? 0);
  const sourceOf = await openSource(query, matching, range, stepNano, asking);
  if (matchingCount <= sampleMax) return withScans(await countValues(query, sourceOf(null), asking), scan);
  const share = sampleMax / matchingCount;
  const inWindows = await countValues(query, sourceOf(sampleWindows(stepNano, share)), asking);
  // Spans that came in bursts may lie between the windows.
  const isEnough = countSpansOf(inWindows.points) * SHORT_OF_MAX >= sampleMax;
  const counted = isEnough ? inWindows : await countValues(query, sourceOf(sampleTraces(share)), asking);
  const sampled = countSpansOf(counted.points);
  const every = sampled === 0 ? 1 : matchingCount / sampled;
  const reason = `Of ${matchingCount} spans ${sampled} were looked at, from all over the time range, and scaled up; narrow the query or the range for exact counts.`;
  return withScans(
    {
      ...counted,
      points: counted.points.map((point) => ({ ...point, n: Math.round(point.n * every) })),
      partialReasons: [reason, ...counted.partialReasons],
    },
    scan,
    ...(isEnough ? [] : inWindows.scans),
  );
}

function withScans(compared: Compared, ...scans: readonly ScanFigures[]): Compared {
  return { ...compared, scans: [...scans, ...compared.scans] };
}

async function countValues({ topCount }: CompareQuery, { sql, params, scans }: Source, asking: Asking): Promise<Compared> {
  const { database, signal } = asking;
  const options = { signal, timeoutMs: TIMEOUT_MS };
  const ranked = await database.query<ValueRow>(
    `SELECT is_selected, place, key, value, cityHash64(place, key, value) AS hash, cityHash64(place, key) AS field_hash, count() AS n
     FROM ${sql} GROUP BY is_selected, place, key, value
     ORDER BY n DESC, value LIMIT {topCount:UInt32} BY is_selected, place, key LIMIT ${VALUE_COUNT_MAX + 1}`,
    { ...options, params: { ...params, topCount } },
  );
  const fields = [...new Set(ranked.rows.map(({ field_hash }) => field_hash))];
  const kept = new Set(fields.slice(0, FIELD_COUNT_MAX));
  const values = ranked.rows.slice(0, VALUE_COUNT_MAX).filter(({ field_hash }) => kept.has(field_hash));
  const counted = await database.query<Point & { readonly n: string }>(
    `SELECT is_selected, place, key, if(cityHash64(place, key, value) IN {shown:Array(UInt64)}, toNullable(value), NULL) AS shown,
       point, count() AS n
     FROM ${sql} WHERE cityHash64(place, key) IN {fields:Array(UInt64)}
     GROUP BY is_selected, place, key, shown, point`,
    {
      ...options,
      params: { ...params, shown: [...new Set(values.map(({ hash }) => BigInt(hash)))], fields: [...kept].map(BigInt) },
    },
  );
  return {
    values,
    points: counted.rows.map((row) => ({ ...row, n: Number(row.n) })),
    scans: [...scans, ranked.scan, counted.scan],
    partialReasons: [
      ...(kept.size < fields.length ? [`The ${kept.size} attributes of most spans are here, of ${fields.length} or more.`] : []),
      ...(ranked.rows.length > VALUE_COUNT_MAX
        ? [`The ${VALUE_COUNT_MAX} most frequent values of all attributes are here.`]
        : []),
    ],
  };
}

/** Every span has a kind, and no attribute is had by more spans. */
function countSpansOf(points: readonly PointCount[]): number {
  return points.reduce((sum, { place, key, n }) => (place === "intrinsic" && key === "kind" ? sum + n : sum), 0);
}

interface Sample {
  readonly where: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Short windows keep most granules unread. */
function sampleWindows(stepNano: bigint, share: number): Sample {
  const period = stepNano / WINDOWS_PER_STEP + 1n;
  const window = BigInt(Math.ceil(Number(period) * share));
  return {
    where: "toUnixTimestamp64Nano(start) % {period:Int64} < {window:Int64}",
    params: { period: period.toString(), window: window.toString() },
  };
}

function sampleTraces(share: number): Sample {
  return { where: "cityHash64(trace_id) % {every:UInt64} = 0", params: { every: Math.max(1, Math.round(1 / share)).toString() } };
}

const named = (list: readonly string[], column: string): string =>
  `transform(${column}, [${list.map((_, at) => at).join(", ")}], [${list.map((name) => `'${name}'`).join(", ")}], '${list[0] ?? ""}')`;

/** What every span has, and what it has only where it is not empty. */
const INTRINSICS_SQL = `[('name', toString(name)), ('kind', ${named(SPAN_KINDS, "kind")}), ('status', ${named(STATUS_CODES, "status")}),
  ('statusMessage', toString(status_message)), ('instrumentation:name', JSONExtractString(scope, '$name')),
  ('instrumentation:version', JSONExtractString(scope, '$version'))]`;

interface Source {
  /** Of SELECT: a row for each attribute of each matching span. */
  readonly sql: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly scans: readonly ScanFigures[];
}

/** `sample`: null for all matching spans. */
async function openSource(
  { selection, window }: CompareQuery,
  matching: CompiledInRange,
  range: TimeRange,
  stepNano: bigint,
  asking: Asking,
): Promise<(sample: Sample | null) => Source> {
  const selected = await compileInRange(selection, range, asking, "s");
  const isWithin = window === null ? "" : ` AND start >= ${instantSql("selectedFrom")} AND start < ${instantSql("selectedTo")}`;
  const ofMap = (map: string, toText: string): string =>
    `arrayMap((key, value) -> ('span', toString(key), ${toText}), ${map}.keys, ${map}.values)`;
  const text = `if(startsWith(pair.2, '"'), JSONExtractString(pair.2), pair.2)`;
  const pairs = `arrayConcat(
    arrayMap(pair -> ('intrinsic', pair.1, pair.2), arrayFilter(pair -> pair.2 != '', ${INTRINSICS_SQL})),
    ${ofMap("attr_word", "toString(value)")}, ${ofMap("attr_string", "value")}, ${ofMap("attr_int", "toString(value)")}, ${ofMap("attr_double", "toString(value)")}, ${ofMap("attr_json", "value")},
    arrayMap(pair -> ('resource', if(startsWith(pair.1, '$$'), substring(pair.1, 2), pair.1), ${text}), JSONExtractKeysAndValuesRaw(toString(resource))))`;
  return (sample) => ({
    sql: `(SELECT is_selected, point, pair.1 AS place, pair.2 AS key, substringUTF8(pair.3, 1, ${VALUE_CHARS_MAX}) AS value
      FROM (SELECT toUInt8((${selected.where})${isWithin}) AS is_selected, intDiv(toUnixTimestamp64Nano(start), {step:Int64}) AS point, ${pairs} AS pairs
            FROM spans WHERE ${IN_RANGE}${sample === null ? "" : ` AND ${sample.where}`} AND (${matching.where}))
      ARRAY JOIN pairs AS pair)`,
    scans: [...matching.scans, ...selected.scans],
    params: {
      ...matching.params,
      ...selected.params,
      ...sample?.params,
      ...rangeParams(range),
      step: stepNano.toString(),
      ...(window === null ? {} : { selectedFrom: window.fromNano.toString(), selectedTo: window.toNano.toString() }),
    },
  });
}

/** Attributes of most spans first; of each the totals of both sides, then its values, the most frequent first. */
function buildSeries(
  values: readonly ValueRow[],
  points: readonly (Point & { readonly n: number })[],
  range: TimeRange,
  stepNano: bigint,
): Series[] {
  const stepCount = countPoints(range, stepNano);
  const counts = new Map<string, number[]>();
  const countsOf = (key: string): number[] => {
    const known = counts.get(key) ?? Array.from({ length: stepCount }, () => 0);
    counts.set(key, known);
    return known;
  };
  const add = (key: string, step: number, count: number): void => {
    const list = countsOf(key);
    list[step] = (list[step] ?? 0) + count;
  };
  const keyOf = (...parts: readonly unknown[]): string => JSON.stringify(parts);
  for (const { is_selected, place, key, shown, point, n } of points) {
    const step = Number(BigInt(point) - range.from / stepNano);
    add(keyOf(is_selected, place, key), step, n);
    if (shown !== null) add(keyOf(is_selected, place, key, shown), step, n);
  }
  const sumOf = (...parts: readonly unknown[]): number =>
    [1, 0].flatMap((side) => counts.get(keyOf(side, ...parts)) ?? []).reduce((sum, count) => sum + count, 0);
  const series: Series[] = [];
  const put = (side: number, isTotal: boolean, field: string, value: string | null, key: string): void => {
    const name = side === 1 ? "selection" : "baseline";
    series.push({
      by: [{ field, value }],
      side: isTotal ? `${name}_total` : name,
      quantile: null,
      atMost: null,
      values: [...countsOf(key)],
    });
  };
  const byField = [...Map.groupBy(values, ({ place, key }) => keyOf(place, key)).values()];
  const ranked = byField.flatMap((rows) => {
    const [first] = rows;
    return first === undefined ? [] : [{ ...first, rows, count: sumOf(first.place, first.key) }];
  });
  for (const { place, key, rows } of ranked.toSorted((a, b) => b.count - a.count)) {
    const field = place === "intrinsic" ? key : formatField(attribute(place, key));
    for (const side of [1, 0]) put(side, true, field, null, keyOf(side, place, key));
    const texts = [...new Set(rows.map(({ value }) => value))].map((value) => ({ value, count: sumOf(place, key, value) }));
    for (const { value } of texts.toSorted((a, b) => b.count - a.count))
      for (const side of [1, 0]) put(side, false, field, value, keyOf(side, place, key, value));
  }
  return series;
}
