/** Edges of whole minutes from the rollups, and how far these reach. */
import type { ScanFigures, SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import type { Edge, EdgeRole } from "@callchain/schemas/clickhouse/edges/edge-series.ts";
import type { LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { joinArrays, joinFixed, joinTexts } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import { readBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import { readUint64 } from "@callchain/schemas/clickhouse/native/read-int64.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { joinEnds } from "../counted-ends.ts";
import type { Asking } from "../range.ts";
import type { RollupPlan } from "../rollup-plan.ts";
import type { EdgeTable } from "./edge-figures.ts";
import {
  KeptStretches,
  changedSql,
  durationsOf,
  follows,
  mergeRows,
  stretchKey,
  type CountedUntil,
  type EdgeRows,
} from "./kept-stretches.ts";

/** Beyond, a range has more edges and minutes than can be added up here: 100 bytes and more each. */
const ROW_COUNT_MAX = 1_000_000;

/** What several questions of one store may share. */
const keptOf = new WeakMap<SpanDatabase, KeptStretches>();

/**
 * Adds the counts of the plan's minutes to the table, and resolves with the ends of what is counted; all of one moment. Throws Failure
 * "too_large" where they are too many.
 */
export async function addCountedEdges(
  table: EdgeTable,
  plan: RollupPlan,
  asking: Asking,
  scans: ScanFigures[],
): Promise<{ readonly ends: LogEnds }> {
  const kept = keptOf.get(asking.database) ?? new KeptStretches();
  keptOf.set(asking.database, kept);
  const before = kept.until;
  const used = kept.within(plan.parts);
  const { rows, stretches, until, ends } = await readEdges(`${plan.tiers} AND ${changedSql(used)}`, asking, scans);
  if (!follows(before, until)) {
    keptOf.delete(asking.database);
    return addCountedEdges(table, plan, asking, scans);
  }
  const changed = new Set([...used.keys()].filter((key) => stretches.has(key)));
  kept.confirm(used, changed, until);
  if (changed.size > 0) return addCountedEdges(table, plan, asking, scans);
  for (const stretch of used.values()) addRows(table, stretch.rows);
  addRows(table, rows);
  for (const [key, { step, rows: own }] of stretches) if (kept.isQuiet(key, step)) kept.keep(key, mergeRows(rows, own), until);
  return { ends };
}

interface ReadEdges {
  readonly rows: EdgeRows;
  /** By `stretchKey`: which rows are of it, and the newest step in these. */
  readonly stretches: ReadonlyMap<number, Stretch>;
  readonly until: CountedUntil;
  readonly ends: LogEnds;
}

interface Stretch {
  readonly rows: number[];
  step: bigint;
}

/**
 * The rows come as they are: adding up their histograms takes ClickHouse several times as long, on two cores as well; counts of 32 bits, since
 * bringing them here takes longer than reading them, and no edge has two thousand million calls of one length in eight hours.
 */
async function readEdges(condition: string, { database, signal }: Asking, scans: ScanFigures[]): Promise<ReadEdges> {
  const read = await readBlocks(
    database,
    `SELECT toUInt8(tier = 0) AS isMark, log_partition AS logPartition, toUInt64(log_next) AS next, toUInt16(ingest_day) AS day, tier, minute,
       toUInt64(step) AS lastStep, edge, role, caller, callee, system, is_error, toUInt64(slowest_nano) AS slowestNano,
       finalizeAggregation(slowest) AS traceId, durations.1 AS buckets, CAST(durations.2, 'Array(Int32)') AS counts
     FROM edge_rollups PREWHERE tier = 0 OR (${condition}) LIMIT ${ROW_COUNT_MAX + 1}`,
    { signal },
  );
  const { blocks, rowCount, scan } = read;
  scans.push(scan);
  if (rowCount > ROW_COUNT_MAX) throw new Failure("too_large", "the range has more edges than can be counted: narrow it");
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, rowCount);
  const { isMark, ends } = joinEnds(read);
  const hashes = new BigUint64Array(fixed("edge", 8));
  const day = new Uint16Array(fixed("day", 2));
  const tier = new Uint16Array(fixed("tier", 2));
  const minute = new Uint32Array(fixed("minute", 4));
  const lastStep = new BigUint64Array(fixed("lastStep", 8));
  const textOf = textReader(["role", "caller", "callee", "system"].map((name) => joinTexts(blocks, name, rowCount)));
  const histograms = joinArrays(blocks, "buckets", 2);
  const days = new Set<number>();
  let step = 0n;
  const stretches = new Map<number, Stretch>();
  const edges: Edge[] = [];
  const edge = new Uint32Array(rowCount);
  const known = new Map<bigint, number>();
  for (let row = 0; row < rowCount; row += 1) {
    const own = lastStep[row] ?? 0n;
    if (isMark[row] === 1) {
      days.add(day[row] ?? 0);
      if (own > step) step = own;
      continue;
    }
    const key = stretchKey(tier[row] ?? 0, minute[row] ?? 0);
    let stretch = stretches.get(key);
    if (stretch === undefined) stretches.set(key, (stretch = { rows: [], step: 0n }));
    stretch.rows.push(row);
    if (own > stretch.step) stretch.step = own;
    const hash = hashes[row] ?? 0n;
    let number = known.get(hash);
    if (number === undefined) {
      known.set(hash, (number = edges.length));
      // What the builder writes is a role.
      edges.push({ role: textOf(0, row) as EdgeRole, caller: textOf(1, row), callee: textOf(2, row), system: textOf(3, row) });
    }
    edge[row] = number;
  }
  const rows: EdgeRows = {
    edges,
    edge,
    isError: new Uint8Array(fixed("is_error", 1)),
    ends: histograms.ends,
    buckets: new Uint16Array(histograms.elements),
    counts: new Int32Array(joinArrays(blocks, "counts", 4).elements),
    slowestNano: readUint64(fixed("slowestNano", 8)),
    slowestTraces: Buffer.from(fixed("traceId", 16)),
  };
  return { rows, stretches, until: { step, days }, ends };
}

const NO_TRACE = "0".repeat(32);

/** A mark has no counts, and adds nothing. */
function addRows(table: EdgeTable, rows: EdgeRows): void {
  const { edge, isError, slowestNano, slowestTraces } = rows;
  const figures = rows.edges.map((one) => table.of(one));
  for (let row = 0; row < edge.length; row += 1) {
    const own = figures[edge[row] ?? 0];
    const durations = durationsOf(rows, row);
    if (own === undefined || durations.from === durations.to) continue;
    own.add(isError[row] === 1, durations);
    const durationNano = slowestNano[row] ?? 0;
    if (own.isSlower(isError[row] === 1, durationNano)) {
      const traceId = slowestTraces.toString("hex", row * 16, row * 16 + 16);
      if (traceId !== NO_TRACE) own.show(isError[row] === 1, { durationNano, traceId });
    }
  }
}

type Texts = ReturnType<typeof joinTexts>;

function textReader(columns: readonly Texts[]): (column: number, row: number) => string {
  return (column, row) => columns[column]?.texts[columns[column]?.indexes[row] ?? 0] ?? "";
}
