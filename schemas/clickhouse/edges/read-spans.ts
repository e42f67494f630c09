/** The spans of a scope, as columns: the context first, then the fresh ones. */
import type { QueryOptions, ScanFigures, SpanDatabase } from "../database.ts";
import { durationBucketSql } from "../duration-buckets.ts";
import { traceIdSql } from "../id-sql.ts";
import { joinArrays, joinFixed, joinTexts } from "../native/join-columns.ts";
import { readBlocks } from "../native/read-blocks.ts";
import { readInt64 } from "../native/read-int64.ts";
import type { NativeBlock } from "../native/read-native.ts";
import { findMissingSenders, type EdgeSpans } from "./count-edges.ts";
import { narrowToKnown, type Narrowing } from "./find-relatives.ts";
import { LINKED_IDS, MAY_RECEIVE, areMany, planSearches, sendingSource } from "./find-senders.ts";
import { PEER_TEXT_SQL } from "./peers.ts";
import { HAS_PARENT, PARENT, SELF, subtractStretches, startsIn, touchedTraces, type EdgeScope, type Stretch } from "./scope.ts";
import { halvesOfTraces, type KnownSteps } from "./step-memory.ts";

const COLUMNS = `${SELF} AS id, if(${HAS_PARENT}, ${PARENT}, 0) AS parent, trace_id, service, kind, status,
  intDiv(toUnixTimestamp64Nano(start), 1000000) AS start_ms, duration_nano, ${durationBucketSql()} AS bucket,
  if(kind IN (3, 4), [], ${LINKED_IDS}) AS linked, if(kind IN (3, 4), [], link_trace_id) AS linked_traces`;

/**
 * `source` is a condition on the spans, all of it in PREWHERE: so only what it lets through is read of the wide columns. `isPeerApart`: the maps,
 * which are half of what is read, only of spans that they may name a peer for. Of few spans that costs more than it saves.
 */
function selectSpans(isFresh: boolean, facts: string, source: string, isPeerApart: boolean): string[] {
  const select = (peer: string, kinds: string): string =>
    `SELECT ${COLUMNS}, ${peer} AS peer, toUInt8(${isFresh ? 1 : 0}) AS is_fresh, toUInt8(${facts}) AS is_wanted
     FROM spans PREWHERE ${source} ${kinds}`;
  if (!isPeerApart) return [select(`toLowCardinality(if(kind IN (3, 4, 5), ${PEER_TEXT_SQL}, ''))`, "")];
  return [
    select("toLowCardinality('')", "AND kind NOT IN (3, 4, 5)"),
    select(`toLowCardinality(${PEER_TEXT_SQL})`, "AND kind IN (3, 4, 5)"),
  ];
}

/**
 * Of the context what belongs to the traces of the fresh spans, and in whichever trace what links into these and so may have received a message
 * from a fresh span. Both in one pass: apart they take three times as long. `narrow`: to where these traces are at all.
 */
function contextSources(scope: EdgeScope, narrow: Narrowing): string[] {
  const { context, isContextCounted, far, receivers } = scope;
  if (context === null) return [];
  const touched = touchedTraces(scope);
  const mayReceive = isContextCounted && receivers.length > 0;
  const isRelated = mayReceive
    ? `(trace_id IN (${touched}) OR arrayExists(one -> one IN (${touched}), link_trace_id))`
    : `trace_id IN (${touched})`;
  const near = narrow(scope.near);
  const sources = near.length === 0 ? [] : [`${isRelated} AND ${startsIn(near)} AND ${context}`];
  const waiting = mayReceive ? narrow(subtractStretches(receivers, scope.near)) : [];
  if (waiting.length > 0) sources.push(`${MAY_RECEIVE} AND ${isRelated} AND ${startsIn(waiting)} AND ${context}`);
  const elsewhere = subtractStretches(far.stretches, scope.near);
  if (elsewhere.length > 0)
    sources.push(`${startsIn(elsewhere)} AND trace_id IN (${far.traceIds.map(traceIdSql).join(", ")}) AND ${context}`);
  return sources;
}

export interface ReadEdgeSpans {
  readonly spans: EdgeSpans;
  readonly scans: readonly ScanFigures[];
  /** False: senders are missing that were not looked for everywhere. */
  readonly isWhole: boolean;
}

export interface SenderReading {
  readonly known?: KnownSteps;
  /** Among more spans than these, many senders are not looked for. */
  readonly searchedSpanCountMax?: number;
}

export async function readEdgeSpans(
  database: SpanDatabase,
  scope: EdgeScope,
  options: QueryOptions,
  { known, searchedSpanCountMax = Infinity }: SenderReading = {},
): Promise<ReadEdgeSpans> {
  const scans: ScanFigures[] = [];
  const read = async (selects: readonly string[]): Promise<readonly NativeBlock[]> => {
    const settings = { ...options.settings, optimize_read_in_order: 0, use_index_for_in_with_subqueries_max_values: 200 };
    const { blocks, scan } = await readBlocks(database, selects.join(" UNION ALL "), { ...options, settings });
    scans.push(scan);
    return blocks;
  };
  const countIn = async (stretches: readonly Stretch[]): Promise<number> => {
    if (searchedSpanCountMax === Infinity || stretches.length === 0) return 0;
    const { rows } = await database.query<{ n: string }>(`SELECT count() AS n FROM spans WHERE ${startsIn(stretches)}`, options);
    return Number(rows[0]?.n ?? 0);
  };
  const { facts, isContextCounted, fresh, context } = scope;
  const readOld = async (sources: readonly string[]): Promise<readonly NativeBlock[]> => {
    const selects = sources.flatMap((source) => selectSpans(!isContextCounted, facts, source, false));
    return selects.length === 0 ? [] : await read(selects);
  };
  const readingFresh = read(selectSpans(true, facts, fresh, true));
  // Who remembers nothing reads both at once; else the fresh spans say where their traces were counted.
  const narrow: Narrowing =
    known === undefined
      ? (stretches) => stretches
      : await narrowToKnown(database, { known, scope, traces: traceHalvesOf(await readingFresh) }, options);
  const sources = contextSources(scope, narrow);
  const [old, newest] = await Promise.all([readOld(sources), readingFresh]);
  const spans = joinBlocks([...old, ...newest]);
  if (context === null || scope.senders.length === 0) return { spans, scans, isWhole: true };
  const missing = findMissingSenders(spans);
  const sending: NativeBlock[] = [];
  let isWhole = true;
  for (const search of await planSearches(database, { missing, scope, context, known }, options)) {
    if (areMany(search.wanted) && (await countIn(search.stretches)) > searchedSpanCountMax) {
      isWhole = false;
      continue;
    }
    const source = sendingSource(search, fresh, sources);
    for (const block of source === null ? [] : await readOld([source])) {
      sending.push(block);
      for (const id of new BigUint64Array(joinFixed([block], "id", 8, block.rowCount))) missing.delete(id);
    }
  }
  return { spans: sending.length === 0 ? spans : joinBlocks([...old, ...sending, ...newest]), scans, isWhole };
}

function traceHalvesOf(blocks: readonly NativeBlock[]): Uint32Array {
  const count = blocks.reduce((sum, { rowCount }) => sum + rowCount, 0);
  return halvesOfTraces(new Uint32Array(joinFixed(blocks, "trace_id", 16, count)));
}

function joinBlocks(blocks: readonly NativeBlock[]): EdgeSpans {
  const count = blocks.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, count);
  const service = joinTexts(blocks, "service", count);
  const peer = joinTexts(blocks, "peer", count);
  const links = joinArrays(blocks, "linked", 8);
  const linkedTraces = joinArrays(blocks, "linked_traces", 16);
  return {
    count,
    ids: new Uint32Array(fixed("id", 8)),
    parents: new Uint32Array(fixed("parent", 8)),
    traceIds: new Uint8Array(fixed("trace_id", 16)),
    services: service.texts,
    service: service.indexes,
    kind: new Uint8Array(fixed("kind", 1)),
    status: new Uint8Array(fixed("status", 1)),
    startMs: readInt64(fixed("start_ms", 8)),
    durationNano: readInt64(fixed("duration_nano", 8)),
    bucket: new Uint16Array(fixed("bucket", 2)),
    peerTexts: peer.texts,
    peer: peer.indexes,
    isFresh: new Uint8Array(fixed("is_fresh", 1)),
    isWanted: new Uint8Array(fixed("is_wanted", 1)),
    linkEnds: links.ends,
    linkedIds: new Uint32Array(links.elements),
    linkedTraceIds: new Uint8Array(linkedTraces.elements),
  };
}
