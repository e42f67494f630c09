/** The services of a range and one service's profile: rate, errors and duration of the spans through which work enters. */
import type { Red, ServiceAnswer, ServiceSummary, ServicesAnswer } from "@callchain/schemas/api/catalog.ts";
import type { QueryAnswer, ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { durationBucketSql } from "@callchain/schemas/clickhouse/duration-buckets.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import { NANO_PER_SECOND, unixNano } from "@callchain/schemas/span/time.ts";
import { EVERYTHING, attribute, compare, type GroupField, type Query } from "../search/query.ts";
import { inMinutes } from "./choose-step.ts";
import { countCalls, countEntries, type Counted, type EntryFigures } from "./count-spans.ts";
import { DurationHistogram } from "./duration-histogram.ts";
import { IN_RANGE, buildScan, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { locateResourceCounts } from "./resources.ts";
import type { Selection } from "./selection.ts";
import { SpanFigures, type PointFigures } from "./span-figures.ts";
import { countPoints } from "./steps.ts";

const MINUTE_NANO = 60n * NANO_PER_SECOND;
const HOUR_NANO = 60n * MINUTE_NANO;
const SPARKLINE_POINT_COUNT = 60n;
/** From this length on a sparkline has whole hours, which the rollups hold: a tenth of the rows of its minutes. */
const SPARKLINE_BY_HOUR_NANO = 24n * HOUR_NANO;
const SERVICE_COUNT_MAX = 2_000;
const SPAN_NAME_COUNT_MAX = 200;
const VALUE_COUNT_MAX = 100;

const RED_PERCENTILES = [50, 95, 99];

function buildRed(figures: SpanFigures | undefined): Red {
  const [p50Nano = null, p95Nano = null, p99Nano = null] = figures?.durations.percentiles(RED_PERCENTILES) ?? [];
  return { callCount: figures?.count ?? 0, errorCount: figures?.errorCount ?? 0, p50Nano, p95Nano, p99Nano };
}

const BY_SERVICE: GroupField = { kind: "attribute", scope: "resource", key: "service.name" };

/** Of each service: all its spans, and its entry spans with their durations. */
interface ServicesRead {
  readonly all: ReadonlyMap<string, SpanFigures>;
  readonly entry: ReadonlyMap<string, SpanFigures>;
}

/** In the range, and in the one of the same length just before, as far as time goes back. */
async function readServices(
  { from, to }: TimeRange,
  query: Query,
  asking: Asking,
): Promise<{ current: ServicesRead; previous: ServicesRead; scans: readonly ScanFigures[] }> {
  const start = from - (to - from);
  const range = { from: unixNano(start < 0n ? 0n : start), to };
  const { found, scans } = await countEntries({ range, splitAt: from, query, by: BY_SERVICE }, asking);
  const sum = (parts: readonly EntryFigures[]): Map<string, SpanFigures> => {
    const sums = new Map<string, SpanFigures>();
    for (const { by, figures } of parts) {
      const sum = sums.get(by ?? "") ?? new SpanFigures();
      sum.merge(figures);
      sums.set(by ?? "", sum);
    }
    return sums;
  };
  const side = (point: bigint): ServicesRead => {
    const ofSide = found.filter((one) => one.point === point);
    return { all: sum(ofSide), entry: sum(ofSide.filter(({ isEntry }) => isEntry)) };
  };
  return { current: side(1n), previous: side(0n), scans };
}

/** The shortest step of whole minutes, or of a round part of one, that cuts the range into at most 60 equal parts; of a day and more, of hours. */
function sparklineStepNano({ from, to }: TimeRange): bigint {
  const stepNano = (to - from + SPARKLINE_POINT_COUNT - 1n) / SPARKLINE_POINT_COUNT;
  const unitNano = to - from >= SPARKLINE_BY_HOUR_NANO ? HOUR_NANO : MINUTE_NANO;
  return stepNano <= MINUTE_NANO ? stepNano : ((stepNano + unitNano - 1n) / unitNano) * unitNano;
}

/**
 * Every service with a span in the range or in the one before (a service that fell silent is listed with 0 calls), most calls first.
 * Throws what the database throws.
 */
export async function listServices(range: TimeRange, asking: Asking): Promise<ServicesAnswer> {
  const startedMs = performance.now();
  const selection = { range, query: EVERYTHING, by: BY_SERVICE, isEntry: true, groups: null };
  const [{ current, previous, scans }, { stepNano, lines }] = await Promise.all([
    readServices(range, EVERYTHING, asking),
    readSparklines(selection, asking),
  ]);
  const first = range.from / stepNano;
  const pointCount = countPoints(range, stepNano);
  const sparklines = new Map<string, number[]>();
  for (const { by, point, figures } of lines.found) {
    const line = sparklines.get(by ?? "") ?? Array.from({ length: pointCount }, () => 0);
    line[Number(point - first)] = figures.count;
    sparklines.set(by ?? "", line);
  }
  const services = [...new Set([...current.all.keys(), ...previous.all.keys()])]
    .map((name): ServiceSummary => ({
      name,
      spanCount: current.all.get(name)?.count ?? 0,
      current: buildRed(current.entry.get(name)),
      previous: previous.all.has(name) ? buildRed(previous.entry.get(name)) : null,
      sparkline: sparklines.get(name) ?? Array.from({ length: pointCount }, () => 0),
      lastSeenNano: (current.all.get(name) ?? previous.all.get(name))?.lastNano.toString() ?? "0",
    }))
    .toSorted((a, b) => b.current.callCount - a.current.callCount || b.spanCount - a.spanCount || (a.name < b.name ? -1 : 1));
  return {
    services: services.slice(0, SERVICE_COUNT_MAX),
    fromNano: range.from.toString(),
    toNano: range.to.toString(),
    sparklineStepSeconds: Number(stepNano) / 1e9,
    scan: buildScan(
      [...scans, ...lines.scans],
      startedMs,
      services.length > SERVICE_COUNT_MAX
        ? [`The ${SERVICE_COUNT_MAX} services with the most calls are listed; there are more.`]
        : [],
    ),
  };
}

async function readSparklines(
  selection: Omit<Selection, "stepNano">,
  asking: Asking,
): Promise<{ stepNano: bigint; lines: Counted<PointFigures> }> {
  const { stepNano, scans } = await inMinutes(sparklineStepNano(selection.range), selection, asking);
  const lines = await countCalls({ ...selection, stepNano }, SERVICE_COUNT_MAX + 1, asking);
  return { stepNano, lines: { found: lines.found, scans: [...scans, ...lines.scans] } };
}

interface SpanNameRow {
  readonly name: string;
  readonly kind: number;
  readonly spans: string;
  readonly errors: string;
  readonly minNano: string;
  readonly maxNano: string;
  readonly buckets: readonly number[];
  readonly counts: readonly string[];
}

/** One service's spans by name and kind, its versions and instances. Throws Failure "not_found" where it has no span in either range. */
export async function getService(name: string, range: TimeRange, asking: Asking): Promise<ServiceAnswer> {
  const startedMs = performance.now();
  const query: Query = { expression: compare(attribute("resource", "service.name"), "=", { type: "string", value: name }) };
  const [{ current, previous, scans }, names, resources] = await Promise.all([
    readServices(range, query, asking),
    listSpanNames(name, range, asking),
    listResourceValues(["service.version", "service.instance.id"], name, range, asking),
  ]);
  if (!current.all.has(name) && !previous.all.has(name)) {
    throw new Failure("not_found", `service ${JSON.stringify(name)} has no spans in this time range; widen it or check the name`);
  }
  const reasons: string[] = [];
  if (names.rows.length > SPAN_NAME_COUNT_MAX) reasons.push(`The ${SPAN_NAME_COUNT_MAX} most frequent span names are listed.`);
  const [versions = [], instances = []] = resources.values;
  if (resources.isCut) reasons.push(`The ${VALUE_COUNT_MAX} most frequent versions and instances are listed.`);
  return {
    name,
    current: buildRed(current.entry.get(name)),
    previous: previous.all.has(name) ? buildRed(previous.entry.get(name)) : null,
    spanNames: names.rows.slice(0, SPAN_NAME_COUNT_MAX).map(buildSpanName),
    versions,
    instances,
    scan: buildScan([...scans, names.scan, ...resources.scans], startedMs, reasons),
  };
}

function listSpanNames(service: string, range: TimeRange, { database, signal }: Asking): Promise<QueryAnswer<SpanNameRow>> {
  return database.query<SpanNameRow>(
    `SELECT name, kind, sum(n) AS spans, sum(e) AS errors, min(lo) AS minNano, max(hi) AS maxNano,
       groupArray(bucket) AS buckets, groupArray(n) AS counts
     FROM (
       SELECT name, kind, ${durationBucketSql()} AS bucket, count() AS n, countIf(status = 2) AS e, min(duration_nano) AS lo, max(duration_nano) AS hi
       FROM spans WHERE ${IN_RANGE} AND service = {service:String} GROUP BY name, kind, bucket
     )
     GROUP BY name, kind ORDER BY spans DESC, name, kind LIMIT ${SPAN_NAME_COUNT_MAX + 1}`,
    { params: { ...rangeParams(range), service }, signal },
  );
}

function buildSpanName(row: SpanNameRow): ServiceAnswer["spanNames"][number] {
  const durations = new DurationHistogram();
  durations.add(row.buckets, row.counts.map(Number));
  durations.bound(Number(row.minNano), Number(row.maxNano));
  const [p50Nano, p95Nano, p99Nano] = durations.percentiles(RED_PERCENTILES);
  return {
    name: row.name,
    kind: SPAN_KINDS[row.kind] ?? "unspecified",
    spanCount: Number(row.spans),
    errorCount: Number(row.errors),
    p50Nano: p50Nano ?? 0,
    p95Nano: p95Nano ?? 0,
    p99Nano: p99Nano ?? 0,
  };
}

type ValueCount = { value: string; spanCount: number };

/** Values of resource attributes of one service with their spans, most frequent first; the texts are grouped before they are parsed. */
async function listResourceValues(keys: readonly string[], service: string, range: TimeRange, asking: Asking) {
  const { source, scans, params } = await locateResourceCounts(range, asking, service);
  const { rows, scan } = await asking.database.query<{ key: string; value: string; spans: string }>(
    `SELECT key, JSONExtractString(resource, key) AS value, sum(spans) AS spans
     FROM (SELECT resource, sum(spans) AS spans FROM (${source}) GROUP BY resource)
     ARRAY JOIN {keys:Array(String)} AS key
     WHERE value != '' GROUP BY key, value ORDER BY spans DESC, value LIMIT ${VALUE_COUNT_MAX + 1} BY key`,
    { params: { ...params, keys }, signal: asking.signal },
  );
  const all = keys.map((key) => rows.filter((row) => row.key === key));
  const values = all.map((found) =>
    found.slice(0, VALUE_COUNT_MAX).map(({ value, spans }): ValueCount => ({ value, spanCount: Number(spans) })),
  );
  return { values, isCut: all.some((found) => found.length > VALUE_COUNT_MAX), scans: [...scans, scan] };
}
