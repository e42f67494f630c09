/** Which resources the spans of a range have, from their rollup: by far fewer rows than the spans. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { positionsFrom } from "@callchain/schemas/clickhouse/log-positions.ts";
import { startsIn } from "@callchain/schemas/clickhouse/edges/scope.ts";
import { HOUR_TIER, RESOURCE_TIERS } from "@callchain/schemas/clickhouse/rollups.ts";
import { NANO_PER_SECOND } from "@callchain/schemas/span/time.ts";
import { RESOURCE_COUNT_MAX, type KnownResources } from "../search/compile-attribute.ts";
import { asksForAnyScope, asksForResources } from "../search/compile.ts";
import type { Query } from "../search/query.ts";
import { findEnds } from "./counted-ends.ts";
import type { Asking, TimeRange } from "./range.ts";
import { outsideOf, planMinutes } from "./rollup-plan.ts";

const TIMEOUT_MS = 8_000;
const HOUR_NANO = 3_600n * NANO_PER_SECOND;

export interface FoundResources {
  /** null: the queries ask for no attributes of resources. */
  readonly resources: KnownResources | null;
  readonly scans: readonly ScanFigures[];
}

/** Of the spans in the range, and perhaps others of the hours that it touches. Their keys only where the queries need them. */
export async function findResources(queries: readonly Query[], range: TimeRange, asking: Asking): Promise<FoundResources> {
  if (!queries.some(asksForResources)) return { resources: null, scans: [] };
  const found = await locateResources(range, asking);
  if (!queries.some(asksForAnyScope)) return { resources: { source: found.source, keys: null }, scans: [found.scan] };
  const { rows, scan } = await asking.database.query<{ key: string }>(
    `SELECT DISTINCT arrayJoin(JSONExtractKeys(resource)) AS key
     FROM (SELECT DISTINCT resource FROM (${found.source}) LIMIT ${RESOURCE_COUNT_MAX})`,
    { signal: asking.signal, timeoutMs: TIMEOUT_MS },
  );
  return { resources: { source: found.source, keys: new Set(rows.map(({ key }) => key)) }, scans: [found.scan, scan] };
}

/** A SELECT of `resource`: what the rollup counts in the hours of the range, and the spans behind that. */
export async function locateResources(range: TimeRange, asking: Asking): Promise<{ source: string; scan: ScanFigures }> {
  const { tail, scan } = await readTail(asking);
  const source = `SELECT resource FROM resource_counts WHERE ${isInHours(range.from / HOUR_NANO, range.to / HOUR_NANO + 1n)}
     UNION ALL SELECT resource FROM spans WHERE ${startsIn([range])} AND ${tail}`;
  return { source, scan };
}

/** A SELECT of `resource` and `spans`, how many in the range have it; a resource may come several times. `service`: only of its spans. */
export async function locateResourceCounts(
  range: TimeRange,
  asking: Asking,
  service: string | null = null,
): Promise<{ source: string; scans: readonly ScanFigures[]; params: Readonly<Record<string, unknown>> }> {
  const params = service === null ? {} : { ofService: service };
  const ofService = service === null ? "" : " AND service = {ofService:String}";
  const raw = (where: string): string =>
    `SELECT resource, count() AS spans FROM spans WHERE ${where}${ofService} GROUP BY resource`;
  const plan = planMinutes(range, RESOURCE_TIERS);
  if (plan === null) return { source: raw(startsIn([range])), scans: [], params };
  const { tail, scan } = await readTail(asking);
  const outside = outsideOf(plan, range);
  const counted = `SELECT resource, sum(resource_counts.spans) AS spans FROM resource_counts WHERE ${plan.tiers} GROUP BY resource`;
  const isService = "ifNull(nullIf(JSONExtractString(resource, 'service.name'), ''), 'unknown_service') = {ofService:String}";
  const source = [
    service === null ? counted : `SELECT resource, spans FROM (${counted} LIMIT ${RESOURCE_COUNT_MAX}) WHERE ${isService}`,
    raw(`${startsIn(plan.minutes)} AND ${tail}`),
    ...(outside.length === 0 ? [] : [raw(startsIn(outside))]),
  ].join(" UNION ALL ");
  return { source, scans: [scan], params };
}

/** The spans that the rollup has not counted yet. */
async function readTail(asking: Asking): Promise<{ tail: string; scan: ScanFigures }> {
  const { ends, scan } = await findEnds("resource_counts", asking);
  return { tail: positionsFrom(ends), scan };
}

/** Of the rollup: hours since 1970, `end` not included. */
const isInHours = (first: bigint, end: bigint): string =>
  `tier = ${HOUR_TIER} AND minute >= ${first * BigInt(HOUR_TIER)} AND minute < ${end * BigInt(HOUR_TIER)}`;
