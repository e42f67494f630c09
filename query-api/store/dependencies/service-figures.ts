/** The services of a range as nodes of the graph. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { RESOURCE_COUNT_MAX } from "../../search/compile-attribute.ts";
import { EVERYTHING, type GroupField } from "../../search/query.ts";
import { countCallsAndRoots } from "../count-spans.ts";
import type { Asking, TimeRange } from "../range.ts";
import { locateResources } from "../resources.ts";
import type { ServiceFigures } from "./graph.ts";

const BY_SERVICE: GroupField = { kind: "attribute", scope: "resource", key: "service.name" };

const namespaceOf = (key: string): string => `nullIf(JSONExtractString(aResource, '${key}'), '')`;

/** By service; all resources of a service are taken to be of one namespace. */
async function readNamespaces(
  range: TimeRange,
  asking: Asking,
): Promise<{ namespaces: ReadonlyMap<string, string>; scans: readonly ScanFigures[] }> {
  const located = await locateResources(range, asking);
  const { rows, scan } = await asking.database.query<{ service: string; namespace: string }>(
    `SELECT service, coalesce(${namespaceOf("service.namespace")}, ${namespaceOf("k8s.namespace.name")}) AS namespace
     FROM (
       SELECT JSONExtractString(one, 'service.name') AS service, any(one) AS aResource
       FROM (SELECT DISTINCT toString(resource) AS one FROM (${located.source}) LIMIT ${RESOURCE_COUNT_MAX})
       GROUP BY service
     )
     WHERE namespace IS NOT NULL`,
    { signal: asking.signal },
  );
  return { namespaces: new Map(rows.map(({ service, namespace }) => [service, namespace])), scans: [located.scan, scan] };
}

/** Most spans first; of more than `countMax`, one more at least. Throws what the database throws. */
export async function listServiceFigures(
  range: TimeRange,
  countMax: number,
  asking: Asking,
): Promise<{ services: ServiceFigures[]; scans: readonly ScanFigures[] }> {
  const selection = { range, stepNano: null, query: EVERYTHING, by: BY_SERVICE, isEntry: false, groups: null };
  const [counted, named] = await Promise.all([
    countCallsAndRoots(selection, countMax + 1, asking),
    readNamespaces(range, asking),
  ]);
  const services = counted.found
    .map(({ by, figures }) => ({
      service: by ?? "",
      spanCount: figures.count,
      errorCount: figures.errorCount,
      namespace: named.namespaces.get(by ?? "") ?? null,
      serverRootCount: figures.serverRootCount,
      otherRootCount: figures.otherRootCount,
    }))
    .toSorted((a, b) => b.spanCount - a.spanCount);
  return { services, scans: [...counted.scans, ...named.scans] };
}
