/**
 * TraceQL's compare(): the matching spans parted into a selection and its baseline, and how many of either have each value of each
 * attribute, step by step. Two statements: the most frequent values of either side, then these by step, with what any value has in all.
 */
import type { Series, SeriesAnswer } from "@callchain/schemas/api/series.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { attribute, formatField, type Query } from "../search/query.ts";
import type { CompareQuery } from "../search/series-query.ts";
import { compileInRange } from "./compile-in-range.ts";
import { askWithinLimits } from "./limits.ts";
import { IN_RANGE, buildScan, instantSql, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { countPoints } from "./steps.ts";

const TIMEOUT_MS = 12_000;
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

interface PointRow {
  readonly is_selected: number;
  readonly place: Place;
  readonly key: string;
  /** null: values that are not shown. */
  readonly shown: string | null;
  readonly point: string;
  readonly n: string;
}

/** Throws Failure "timeout" or "overloaded" where even a sixteenth of the range is too much. */
export async function compareSpans(
  query: CompareQuery,
  spans: Query,
  range: TimeRange,
  stepNano: bigint,
  asking: Asking,
): Promise<Pick<SeriesAnswer, "series" | "scan">> {
  const startedMs = performance.now();
  const { answer, reasons } = await askWithinLimits(range, asking, (part) => compareWithin(query, spans, part, stepNano, asking));
  return {
    series: buildSeries(answer.values, answer.points, range, stepNano),
    scan: buildScan(answer.scans, startedMs, [...reasons, ...answer.partialReasons]),
  };
}

async function compareWithin(query: CompareQuery, spans: Query, range: TimeRange, stepNano: bigint, asking: Asking) {
  const { database, signal } = asking;
  const { source, params, scans } = await compileSource(query, spans, range, stepNano, asking);
  const options = { signal, timeoutMs: TIMEOUT_MS };
  const ranked = await database.query<ValueRow>(
    `SELECT is_selected, place, key, value, cityHash64(place, key, value) AS hash, cityHash64(place, key) AS field_hash, count() AS n
     FROM ${source} GROUP BY is_selected, place, key, value
     ORDER BY n DESC, value LIMIT {topCount:UInt32} BY is_selected, place, key LIMIT ${VALUE_COUNT_MAX + 1}`,
    { ...options, params: { ...params, topCount: query.topCount } },
  );
  const fields = [...new Set(ranked.rows.map(({ field_hash }) => field_hash))];
  const kept = new Set(fields.slice(0, FIELD_COUNT_MAX));
  const values = ranked.rows.slice(0, VALUE_COUNT_MAX).filter(({ field_hash }) => kept.has(field_hash));
  const counted = await database.query<PointRow>(
    `SELECT is_selected, place, key, if(cityHash64(place, key, value) IN {shown:Array(UInt64)}, toNullable(value), NULL) AS shown,
       point, count() AS n
     FROM ${source} WHERE cityHash64(place, key) IN {fields:Array(UInt64)}
     GROUP BY is_selected, place, key, shown, point`,
    {
      ...options,
      params: { ...params, shown: [...new Set(values.map(({ hash }) => BigInt(hash)))], fields: [...kept].map(BigInt) },
    },
  );
  const partialReasons = [
    ...(kept.size < fields.length ? [`The ${kept.size} attributes of most spans are here, of ${fields.length} or more.`] : []),
    ...(ranked.rows.length > VALUE_COUNT_MAX ? [`The ${VALUE_COUNT_MAX} most frequent values of all attributes are here.`] : []),
  ];
  return { values, points: counted.rows, scans: [...scans, ranked.scan, counted.scan], partialReasons };
}

const named = (list: readonly string[], column: string): string =>
  `transform(${column}, [${list.map((_, at) => at).join(", ")}], [${list.map((name) => `'${name}'`).join(", ")}], '${list[0] ?? ""}')`;

/** What every span has, and what it has only where it is not empty. */
const INTRINSICS_SQL = `[('name', toString(name)), ('kind', ${named(SPAN_KINDS, "kind")}), ('status', ${named(STATUS_CODES, "status")}),
  ('statusMessage', toString(status_message)), ('instrumentation:name', JSONExtractString(scope, '$name')),
  ('instrumentation:version', JSONExtractString(scope, '$version'))]`;

/** A row for each attribute of each matching span. */
async function compileSource(
  { selection, window }: CompareQuery,
  spans: Query,
  range: TimeRange,
  stepNano: bigint,
  asking: Asking,
): Promise<{ source: string; params: Readonly<Record<string, unknown>>; scans: readonly ScanFigures[] }> {
  const matching = await compileInRange(spans, range, asking, "q");
  const selected = await compileInRange(selection, range, asking, "s");
  const isWithin = window === null ? "" : ` AND start >= ${instantSql("selectedFrom")} AND start < ${instantSql("selectedTo")}`;
  const ofMap = (map: string, toText: string): string =>
    `arrayMap((key, value) -> ('span', toString(key), ${toText}), ${map}.keys, ${map}.values)`;
  const text = `if(startsWith(pair.2, '"'), JSONExtractString(pair.2), pair.2)`;
  const pairs = `arrayConcat(
    arrayMap(pair -> ('intrinsic', pair.1, pair.2), arrayFilter(pair -> pair.2 != '', ${INTRINSICS_SQL})),
    ${ofMap("attr_word", "toString(value)")}, ${ofMap("attr_string", "value")}, ${ofMap("attr_int", "toString(value)")}, ${ofMap("attr_double", "toString(value)")}, ${ofMap("attr_json", "value")},
    arrayMap(pair -> ('resource', if(startsWith(pair.1, '$$'), substring(pair.1, 2), pair.1), ${text}), JSONExtractKeysAndValuesRaw(toString(resource))))`;
  return {
    source: `(SELECT is_selected, point, pair.1 AS place, pair.2 AS key, substringUTF8(pair.3, 1, ${VALUE_CHARS_MAX}) AS value
      FROM (SELECT toUInt8((${selected.where})${isWithin}) AS is_selected, intDiv(toUnixTimestamp64Nano(start), {step:Int64}) AS point, ${pairs} AS pairs
            FROM spans WHERE ${IN_RANGE} AND (${matching.where}))
      ARRAY JOIN pairs AS pair)`,
    scans: [...matching.scans, ...selected.scans],
    params: {
      ...matching.params,
      ...selected.params,
      ...rangeParams(range),
      step: stepNano.toString(),
      ...(window === null ? {} : { selectedFrom: window.fromNano.toString(), selectedTo: window.toNano.toString() }),
    },
  };
}

/** Attributes of most spans first; of each the totals of both sides, then its values, the most frequent first. */
function buildSeries(values: readonly ValueRow[], points: readonly PointRow[], range: TimeRange, stepNano: bigint): Series[] {
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
    add(keyOf(is_selected, place, key), step, Number(n));
    if (shown !== null) add(keyOf(is_selected, place, key, shown), step, Number(n));
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
