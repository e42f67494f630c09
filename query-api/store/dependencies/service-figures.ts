/** The services of a range as nodes of the graph. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { GroupField, Query } from "../../search/query.ts";
import { countCallsAndRoots } from "../count-spans.ts";
import { IN_RANGE, rangeParams, type Asking, type TimeRange } from "../range.ts";
import type { ServiceFigures } from "./graph.ts";

const EVERYTHING: Query = { expression: null };
const BY_SERVICE: GroupField = { kind: "attribute", scope: "resource", key: "service.name" };
/** The newest so many spans tell the namespaces: all spans of a day would take a second. */
const NAMESPACE_SPAN_COUNT = 300_000;

const namespaceOf = (key: string): string => `nullIf(JSONExtractString(aResource, '${key}'), '')`;
/** All resources of a service are taken to be of one namespace. */
const NAMESPACES = `SELECT service, coalesce(${namespaceOf("service.namespace")}, ${namespaceOf("k8s.namespace.name")}) AS namespace
FROM (
  SELECT service, any(toString(resource)) AS aResource
  FROM (SELECT service, resource FROM spans WHERE ${IN_RANGE} ORDER BY start DESC LIMIT ${NAMESPACE_SPAN_COUNT})
  GROUP BY service
)
WHERE namespace IS NOT NULL`;

/** Most spans first; of more than `countMax`, one more at least. Throws what the database throws. */
export async function listServiceFigures(
  range: TimeRange,
  countMax: number,
  asking: Asking,
): Promise<{ services: ServiceFigures[]; scans: readonly ScanFigures[] }> {
  const { database, signal } = asking;
  const selection = { range, stepNano: null, query: EVERYTHING, by: BY_SERVICE, isEntry: false, groups: null };
  const [counted, named] = await Promise.all([
    countCallsAndRoots(selection, countMax + 1, asking),
    database.query<{ service: string; namespace: string }>(NAMESPACES, { params: rangeParams(range), signal }),
  ]);
  const namespaces = new Map(named.rows.map(({ service, namespace }) => [service, namespace]));
  const services = counted.found
    .map(({ by, figures }) => ({
      service: by ?? "",
      spanCount: figures.count,
      errorCount: figures.errorCount,
      namespace: namespaces.get(by ?? "") ?? null,
      serverRootCount: figures.serverRootCount,
      otherRootCount: figures.otherRootCount,
    }))
    .toSorted((a, b) => b.spanCount - a.spanCount);
  return { services, scans: [...counted.scans, named.scan] };
}
