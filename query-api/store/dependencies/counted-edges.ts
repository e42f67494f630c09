/** Edges of whole minutes from the rollups, and how far these reach. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { EdgeRole } from "@callchain/schemas/clickhouse/edges/edge-series.ts";
import type { LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { joinArrays, joinFixed, joinTexts } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import { readBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import { readUint64 } from "@callchain/schemas/clickhouse/native/read-int64.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { joinEnds } from "../counted-ends.ts";
import type { Asking } from "../range.ts";
import type { RollupPlan } from "../rollup-plan.ts";
import type { EdgeFigures, EdgeTable } from "./edge-figures.ts";

/** Beyond, a range has more edges and minutes than can be added up here: 100 bytes and more each. */
const ROW_COUNT_MAX = 1_000_000;

/**
 * Adds the counts of the plan's minutes to the table, and resolves with the ends of what is counted; all of one moment. The rows come as they
 * are: adding up their histograms takes ClickHouse several times as long, on two cores as well; counts of 32 bits, since bringing them here takes
 * longer than reading them, and no edge has two thousand million calls of one length in eight hours. Throws Failure "too_large" where they are
 * too many.
 */
export async function addCountedEdges(
  table: EdgeTable,
  { tiers }: RollupPlan,
  { database, signal }: Asking,
  scans: ScanFigures[],
): Promise<{ readonly ends: LogEnds }> {
  const read = await readBlocks(
    database,
    `SELECT toUInt8(tier = 0) AS isMark, log_partition AS logPartition, toUInt64(log_next) AS next, edge, role, caller, callee, system, is_error,
       toUInt64(slowest_nano) AS slowestNano, finalizeAggregation(slowest) AS traceId, durations.1 AS buckets, CAST(durations.2, 'Array(Int32)') AS counts
     FROM edge_rollups WHERE tier = 0 OR ${tiers} LIMIT ${ROW_COUNT_MAX + 1}`,
    { signal },
  );
  const { blocks, rowCount, scan } = read;
  scans.push(scan);
  if (rowCount > ROW_COUNT_MAX) throw new Failure("too_large", "the range has more edges than can be counted: narrow it");
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, rowCount);
  const { isMark, ends } = joinEnds(read);
  const edges = new BigUint64Array(fixed("edge", 8));
  const isError = new Uint8Array(fixed("is_error", 1));
  const slowestNano = readUint64(fixed("slowestNano", 8));
  const traceIds = Buffer.from(fixed("traceId", 16));
  const textOf = textReader(["role", "caller", "callee", "system"].map((name) => joinTexts(blocks, name, rowCount)));
  const { ends: rowEnds, elements } = joinArrays(blocks, "buckets", 2);
  const buckets = new Uint16Array(elements);
  const counts = new Int32Array(joinArrays(blocks, "counts", 4).elements);
  const known = new Map<bigint, EdgeFigures>();
  for (let row = 0, from = 0; row < rowCount; row += 1) {
    const to = rowEnds[row] ?? 0;
    if (isMark[row] === 1) continue;
    const edge = edges[row] ?? 0n;
    let figures = known.get(edge);
    if (figures === undefined) {
      // What the builder writes is a role.
      figures = table.of({
        role: textOf(0, row) as EdgeRole,
        caller: textOf(1, row),
        callee: textOf(2, row),
        system: textOf(3, row),
      });
      known.set(edge, figures);
    }
    figures.add(isError[row] === 1, { buckets: buckets.subarray(from, to), counts: counts.subarray(from, to) });
    const durationNano = slowestNano[row] ?? 0;
    if (figures.isSlower(isError[row] === 1, durationNano)) {
      const traceId = traceIds.toString("hex", row * 16, row * 16 + 16);
      if (traceId !== NO_TRACE) figures.show(isError[row] === 1, { durationNano, traceId });
    }
    from = to;
  }
  return { ends };
}

const NO_TRACE = "0".repeat(32);

type Texts = ReturnType<typeof joinTexts>;

function textReader(columns: readonly Texts[]): (column: number, row: number) => string {
  return (column, row) => columns[column]?.texts[columns[column]?.indexes[row] ?? 0] ?? "";
}
