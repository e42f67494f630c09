/** Edges of whole minutes from the rollups, and how far these reach. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { Edge } from "@callchain/schemas/clickhouse/edges/edge-series.ts";
import type { LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { joinArrays, joinFixed } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import { readBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { Asking } from "../range.ts";
import type { RollupPlan } from "../rollup-plan.ts";
import type { EdgeTable } from "./edge-figures.ts";

/** Beyond, a range has more edges than can be held here. */
const EDGE_COUNT_MAX = 200_000;

/**
 * Adds the counts of the plan's minutes to the table, and resolves with the ends of what is counted; all of one moment. What an edge is called, and
 * its slowest calls, are those of then or a moment later. Throws Failure "too_large" where the edges are too many.
 */
export async function addCountedEdges(
  table: EdgeTable,
  { tiers }: RollupPlan,
  asking: Asking,
  scans: ScanFigures[],
): Promise<LogEnds> {
  const [counts, first] = await Promise.all([readCounts(tiers, asking), readNames(tiers, asking)]);
  scans.push(counts.scan, first.scan);
  let { names } = first;
  if (counts.edges.some(({ id }) => !names.has(id))) {
    // The names were read before a step that the counts have.
    const again = await readNames(tiers, asking);
    scans.push(again.scan);
    ({ names } = again);
  }
  for (const { id, callCount, errorCount, buckets, counts: ofBuckets } of counts.edges) {
    for (const { edge, isError, slowestNano, traceId } of names.get(id) ?? []) {
      const figures = table.of(edge);
      if (traceId !== NO_TRACE) figures.show(isError, { durationNano: slowestNano, traceId });
    }
    const [named] = names.get(id) ?? [];
    if (named !== undefined) table.of(named.edge).add({ buckets, counts: ofBuckets }, { callCount, errorCount });
  }
  return counts.ends;
}

interface CountedEdge {
  readonly id: bigint;
  readonly callCount: number;
  readonly errorCount: number;
  readonly buckets: Uint16Array;
  readonly counts: Float64Array;
}

/** By the edge's hash alone: texts among the keys would take several times as long. */
async function readCounts(
  tiers: string,
  { database, signal }: Asking,
): Promise<{ edges: CountedEdge[]; ends: LogEnds; scan: ScanFigures }> {
  const { blocks, rowCount, scan } = await readBlocks(
    database,
    `SELECT toUInt8(isMark) AS isMark, log_partition, max(next) AS next, edge, sum(n) AS calls, sum(e) AS errors,
       groupArray(bucket) AS buckets, groupArray(n) AS counts
     FROM (
       SELECT tier = 0 AS isMark, if(isMark, log_partition, 0) AS log_partition, edge, bucket, toUInt64(max(log_next)) AS next,
         toFloat64(sum(c)) AS n, toFloat64(sumIf(c, is_error = 1)) AS e
       FROM (SELECT tier, log_partition, log_next, edge, is_error, durations FROM edge_rollups WHERE tier = 0 OR ${tiers})
       LEFT ARRAY JOIN durations.1 AS bucket, durations.2 AS c
       GROUP BY isMark, log_partition, edge, bucket
     )
     GROUP BY isMark, log_partition, edge LIMIT ${EDGE_COUNT_MAX + 1}`,
    { signal },
  );
  if (rowCount > EDGE_COUNT_MAX) throw new Failure("too_large", "the range has more edges than can be counted: narrow it");
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, rowCount);
  const isMark = new Uint8Array(fixed("isMark", 1));
  const partition = new Uint32Array(fixed("log_partition", 4));
  const next = new BigUint64Array(fixed("next", 8));
  const ids = new BigUint64Array(fixed("edge", 8));
  const calls = new Float64Array(fixed("calls", 8));
  const errors = new Float64Array(fixed("errors", 8));
  const { ends: arrayEnds, elements } = joinArrays(blocks, "buckets", 2);
  const buckets = new Uint16Array(elements);
  const counts = new Float64Array(joinArrays(blocks, "counts", 8).elements);
  const ends = new Map<number, bigint>();
  const edges: CountedEdge[] = [];
  for (let row = 0, from = 0; row < rowCount; row += 1) {
    const to = arrayEnds[row] ?? 0;
    if (isMark[row] === 1) ends.set(partition[row] ?? 0, next[row] ?? 0n);
    else
      edges.push({
        id: ids[row] ?? 0n,
        callCount: calls[row] ?? 0,
        errorCount: errors[row] ?? 0,
        buckets: buckets.subarray(from, to),
        counts: counts.subarray(from, to),
      });
    from = to;
  }
  return { edges, ends, scan };
}

interface NamedEdge {
  readonly edge: Edge;
  readonly isError: boolean;
  readonly slowestNano: number;
  readonly traceId: string;
}

interface NameRow extends Edge {
  readonly id: string;
  readonly isError: number;
  readonly slowestNano: string;
  readonly traceId: string;
}

const NO_TRACE = "0".repeat(32);

/** Of each edge, without errors and with. */
async function readNames(
  tiers: string,
  { database, signal }: Asking,
): Promise<{ names: Map<bigint, NamedEdge[]>; scan: ScanFigures }> {
  const { rows, scan } = await database.query<NameRow>(
    `SELECT toString(edge) AS id, role, caller, callee, system, is_error AS isError, toUInt64(max(slowest_nano)) AS slowestNano,
       lower(hex(argMaxMerge(slowest))) AS traceId
     FROM edge_rollups WHERE tier != 0 AND ${tiers} GROUP BY edge, role, caller, callee, system, isError LIMIT ${2 * EDGE_COUNT_MAX}`,
    { signal },
  );
  const names = new Map<bigint, NamedEdge[]>();
  for (const { id, role, caller, callee, system, isError, slowestNano, traceId } of rows) {
    const known = names.get(BigInt(id)) ?? [];
    known.push({ edge: { role, caller, callee, system }, isError: isError === 1, slowestNano: Number(slowestNano), traceId });
    names.set(BigInt(id), known);
  }
  return { names, scan };
}
