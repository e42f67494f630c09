/** The services of a range and one service's profile: rate, errors and duration of the spans through which work enters. */
import type { Red, ServiceAnswer, ServiceSummary, ServicesAnswer } from "@callchain/schemas/api/catalog.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import {
  IN_RANGE,
  IS_ENTRY,
  buildScan,
  countSpans,
  instantSql,
  quantilesSql,
  rangeParams,
  readPercentiles,
  type Asking,
  type TimeRange,
} from "./range.ts";

const SPARKLINE_POINT_COUNT = 60;
const SERVICE_COUNT_MAX = 2_000;
const SPAN_NAME_COUNT_MAX = 200;
const VALUE_COUNT_MAX = 100;

interface RedRow {
  readonly calls: string;
  readonly errors: string;
  readonly percentiles: (string | number | null)[];
}

interface ServiceRow extends RedRow {
  readonly service: string;
  readonly spanCount: string;
  readonly lastSeen: string;
  readonly previousSpanCount: string;
  readonly previousCalls: string;
  readonly previousErrors: string;
  readonly previousPercentiles: (string | number | null)[];
}

/** The range of the same length just before, as far as time goes back. */
function previousOf({ from, to }: TimeRange): TimeRange {
  const start = from - (to - from);
  return { from: unixNano(start < 0n ? 0n : start), to: from };
}

/** Both ranges as one for WHERE; `current` tells them apart. */
const IN_BOTH = `start >= ${instantSql("previousFrom")} AND start < ${instantSql("to")}`;

function redColumns(quantiles: string): string {
  const percentiles = (condition: string): string => `${quantiles}If(0.5, 0.95, 0.99)(duration_nano, ${condition})`;
  return `countIf(current) AS spanCount, countIf(NOT current) AS previousSpanCount,
    countIf(current AND entry) AS calls, countIf(NOT current AND entry) AS previousCalls,
    countIf(current AND entry AND status = 2) AS errors, countIf(NOT current AND entry AND status = 2) AS previousErrors,
    ${percentiles("current AND entry")} AS percentiles, ${percentiles("NOT current AND entry")} AS previousPercentiles,
    toString(toUnixTimestamp64Nano(max(start))) AS lastSeen`;
}

const RED_SOURCE = `SELECT service, status, duration_nano, start, start >= ${instantSql("from")} AS current, ${IS_ENTRY} AS entry FROM spans`;

function buildRed(row: RedRow): Red {
  const callCount = Number(row.calls);
  const [p50Nano = null, p95Nano = null, p99Nano = null] = readPercentiles(row.percentiles, callCount);
  return { callCount, errorCount: Number(row.errors), p50Nano, p95Nano, p99Nano };
}

function buildPreviousRed(row: ServiceRow): Red | null {
  if (Number(row.previousSpanCount) === 0) return null;
  return buildRed({ calls: row.previousCalls, errors: row.previousErrors, percentiles: row.previousPercentiles });
}

/**
 * Every service with a span in the range or in the one before (a service that fell silent is listed with 0 calls), most calls first.
 * Throws what the database throws.
 */
export async function listServices(range: TimeRange, asking: Asking): Promise<ServicesAnswer> {
  const startedMs = performance.now();
  const { database, signal } = asking;
  const previous = previousOf(range);
  const params = { ...rangeParams(range), previousFrom: previous.from.toString() };
  const counted = await countSpans({ from: previous.from, to: range.to }, asking);
  const stepNano = (range.to - range.from + BigInt(SPARKLINE_POINT_COUNT) - 1n) / BigInt(SPARKLINE_POINT_COUNT);
  const pointCount = Number((range.to - range.from + stepNano - 1n) / stepNano);
  const [services, sparklines] = await Promise.all([
    database.query<ServiceRow>(
      `SELECT service, ${redColumns(quantilesSql(counted.count))} FROM (${RED_SOURCE} WHERE ${IN_BOTH})
       GROUP BY service ORDER BY calls DESC, spanCount DESC, service LIMIT ${SERVICE_COUNT_MAX + 1}`,
      { params, signal },
    ),
    database.query<{ service: string; point: string; calls: string }>(
      `SELECT service, intDiv(toUnixTimestamp64Nano(start) - {from:Int64}, {step:Int64}) AS point, count() AS calls
       FROM spans WHERE ${IN_RANGE} AND ${IS_ENTRY} GROUP BY service, point`,
      { params: { ...params, step: stepNano.toString() }, signal },
    ),
  ]);
  const emptyLine = (): number[] => Array.from({ length: pointCount }, () => 0);
  const points = new Map<string, number[]>();
  for (const { service, point, calls } of sparklines.rows) {
    const line = points.get(service) ?? emptyLine();
    line[Number(point)] = Number(calls);
    points.set(service, line);
  }
  const isCut = services.rows.length > SERVICE_COUNT_MAX;
  return {
    services: services.rows.slice(0, SERVICE_COUNT_MAX).map((row): ServiceSummary => ({
      name: row.service,
      spanCount: Number(row.spanCount),
      current: buildRed(row),
      previous: buildPreviousRed(row),
      sparkline: points.get(row.service) ?? emptyLine(),
      lastSeenNano: row.lastSeen,
    })),
    fromNano: range.from.toString(),
    toNano: range.to.toString(),
    sparklineStepSeconds: Number(stepNano) / 1e9,
    scan: buildScan(
      [counted.scan, services.scan, sparklines.scan],
      startedMs,
      isCut ? [`The ${SERVICE_COUNT_MAX} services with the most calls are listed; there are more.`] : [],
    ),
  };
}

interface SpanNameRow {
  readonly name: string;
  readonly kind: number;
  readonly spans: string;
  readonly errors: string;
  readonly percentiles: (string | number | null)[];
}

/** One service's spans by name and kind, its versions and instances. Throws Failure "not_found" where it has no span in either range. */
export async function getService(name: string, range: TimeRange, asking: Asking): Promise<ServiceAnswer> {
  const startedMs = performance.now();
  const { database, signal } = asking;
  const previous = previousOf(range);
  const params = { ...rangeParams(range), previousFrom: previous.from.toString(), service: name };
  const counted = await countSpans({ from: previous.from, to: range.to }, asking);
  const quantiles = quantilesSql(counted.count);
  const [red, names, resources] = await Promise.all([
    database.query<ServiceRow>(
      `SELECT ${redColumns(quantiles)} FROM (${RED_SOURCE} WHERE ${IN_BOTH} AND service = {service:String})`,
      { params, signal },
    ),
    database.query<SpanNameRow>(
      `SELECT name, kind, count() AS spans, countIf(status = 2) AS errors, ${quantiles}(0.5, 0.95, 0.99)(duration_nano) AS percentiles
       FROM spans WHERE ${IN_RANGE} AND service = {service:String}
       GROUP BY name, kind ORDER BY spans DESC, name, kind LIMIT ${SPAN_NAME_COUNT_MAX + 1}`,
      { params, signal },
    ),
    listResourceValues(["service.version", "service.instance.id"], name, range, asking),
  ]);
  const row = red.rows[0];
  if (row === undefined || (Number(row.spanCount) === 0 && Number(row.previousSpanCount) === 0)) {
    throw new Failure("not_found", `service ${JSON.stringify(name)} has no spans in this time range; widen it or check the name`);
  }
  const reasons: string[] = [];
  if (names.rows.length > SPAN_NAME_COUNT_MAX) reasons.push(`The ${SPAN_NAME_COUNT_MAX} most frequent span names are listed.`);
  const [versions = [], instances = []] = resources.values;
  if (resources.isCut) reasons.push(`The ${VALUE_COUNT_MAX} most frequent versions and instances are listed.`);
  return {
    name,
    current: buildRed(row),
    previous: buildPreviousRed(row),
    spanNames: names.rows.slice(0, SPAN_NAME_COUNT_MAX).map((spanName) => {
      const [p50Nano, p95Nano, p99Nano] = readPercentiles(spanName.percentiles, Number(spanName.spans));
      return {
        name: spanName.name,
        kind: SPAN_KINDS[spanName.kind] ?? "unspecified",
        spanCount: Number(spanName.spans),
        errorCount: Number(spanName.errors),
        p50Nano: p50Nano ?? 0,
        p95Nano: p95Nano ?? 0,
        p99Nano: p99Nano ?? 0,
      };
    }),
    versions,
    instances,
    scan: buildScan([counted.scan, red.scan, names.scan, resources.scan], startedMs, reasons),
  };
}

type ValueCount = { value: string; spanCount: number };

/** Values of resource attributes of one service with their spans, most frequent first; the texts are grouped before they are parsed. */
async function listResourceValues(keys: readonly string[], service: string, range: TimeRange, { database, signal }: Asking) {
  const { rows, scan } = await database.query<{ key: string; value: string; spans: string }>(
    `SELECT key, JSONExtractString(resource, key) AS value, sum(spans) AS spans
     FROM (SELECT resource, count() AS spans FROM spans WHERE ${IN_RANGE} AND service = {service:String} GROUP BY resource)
     ARRAY JOIN {keys:Array(String)} AS key
     WHERE value != '' GROUP BY key, value ORDER BY spans DESC, value LIMIT ${VALUE_COUNT_MAX + 1} BY key`,
    { params: { ...rangeParams(range), service, keys }, signal },
  );
  const all = keys.map((key) => rows.filter((row) => row.key === key));
  const values = all.map((found) =>
    found.slice(0, VALUE_COUNT_MAX).map(({ value, spans }): ValueCount => ({ value, spanCount: Number(spans) })),
  );
  return { values, isCut: all.some((found) => found.length > VALUE_COUNT_MAX), scan };
}
