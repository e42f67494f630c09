/** The spans of a scope, as columns: the context first, then the fresh ones. */
import type { QueryOptions, ScanFigures, SpanDatabase } from "../database.ts";
import { durationBucketSql } from "../duration-buckets.ts";
import { joinArrays, joinFixed, joinTexts } from "../native/join-columns.ts";
import { readBlocks } from "../native/read-blocks.ts";
import { readInt64 } from "../native/read-int64.ts";
import type { NativeBlock } from "../native/read-native.ts";
import { findMissingSenders, type EdgeSpans } from "./count-edges.ts";
import { PEER_TEXT_SQL } from "./peers.ts";
import { HAS_PARENT, PARENT, SELF, startsIn, touchedTraces, type EdgeScope } from "./scope.ts";

const LINKED_IDS = "arrayMap((trace, span) -> cityHash64(trace, span), link_trace_id, link_span_id)";
/** Spans that a message may have come from, by the parent (consumers only) and the links. */
const ABOVE_IDS = `arrayConcat(if(kind = 5 AND ${HAS_PARENT}, [${PARENT}], []), ${LINKED_IDS})`;
const MAY_RECEIVE = "(kind = 5 OR (kind IN (0, 1, 2) AND notEmpty(link_span_id)))";
const COLUMNS = `${SELF} AS id, if(${HAS_PARENT}, ${PARENT}, 0) AS parent, trace_id, service, kind, status,
  intDiv(toUnixTimestamp64Nano(start), 1000000) AS start_ms, duration_nano, ${durationBucketSql()} AS bucket,
  if(kind IN (3, 4), [], ${LINKED_IDS}) AS linked`;

/** `isPeerApart`: the maps, which are half of what is read, only of spans that they may name a peer for. Of few spans that costs more than it saves. */
function selectSpans(isFresh: boolean, facts: string, { prewhere, where }: Source, isPeerApart: boolean): string[] {
  const select = (peer: string, kinds: string): string =>
    `SELECT ${COLUMNS}, ${peer} AS peer, toUInt8(${isFresh ? 1 : 0}) AS is_fresh, toUInt8(${facts}) AS is_wanted
     FROM spans PREWHERE ${prewhere} ${kinds} WHERE ${where}`;
  if (!isPeerApart) return [select(`toLowCardinality(if(kind IN (3, 4, 5), ${PEER_TEXT_SQL}, ''))`, "")];
  return [
    select("toLowCardinality('')", "AND kind NOT IN (3, 4, 5)"),
    select(`toLowCardinality(${PEER_TEXT_SQL})`, "AND kind IN (3, 4, 5)"),
  ];
}

interface Source {
  readonly prewhere: string;
  readonly where: string;
}

/** Of the context what belongs to the traces of the fresh spans. */
function contextSources(scope: EdgeScope): Source[] {
  const { context, near, far } = scope;
  if (context === null) return [];
  const sources = [{ prewhere: `${startsIn(near)} AND trace_id IN (${touchedTraces(scope)})`, where: context }];
  if (far.traceIds.length > 0) {
    const ids = far.traceIds.map((id) => `unhex('${id}')`).join(", ");
    sources.push({ prewhere: `${startsIn(far.stretches)} AND NOT ${startsIn(near)} AND trace_id IN (${ids})`, where: context });
  }
  return sources;
}

/** Of the context, in whichever trace, what may have received a message from a fresh span; null: nothing can. */
function receivingSource({ fresh, context, isContextCounted, receivers }: EdgeScope): Source | null {
  if (context === null || !isContextCounted || receivers.length === 0) return null;
  const freshSenders = `SELECT ${SELF} FROM spans WHERE ${fresh} AND kind = 4`;
  return {
    prewhere: `${startsIn(receivers)} AND ${MAY_RECEIVE}`,
    where: `${context} AND arrayExists(one -> one IN (${freshSenders}), ${ABOVE_IDS})`,
  };
}

/** So many ids are written out; more are found again by the server. */
const WRITTEN_ID_COUNT_MAX = 5_000;

/** Of the context the senders that are missing. */
function sendingSource(scope: EdgeScope, missing: readonly bigint[], receiving: Source | null): Source | null {
  const { fresh, context, senders } = scope;
  if (context === null || missing.length === 0) return null;
  const again = [
    `SELECT arrayJoin(${ABOVE_IDS}) FROM spans WHERE ${fresh} AND ${MAY_RECEIVE}`,
    ...(receiving === null
      ? []
      : [`SELECT arrayJoin(${ABOVE_IDS}) FROM spans PREWHERE ${receiving.prewhere} WHERE ${receiving.where}`]),
  ].join(" UNION ALL ");
  const ids = missing.length <= WRITTEN_ID_COUNT_MAX ? missing.join(", ") : again;
  return { prewhere: `${startsIn(senders)} AND kind = 4`, where: `${context} AND ${SELF} IN (${ids})` };
}

export interface ReadEdgeSpans {
  readonly spans: EdgeSpans;
  readonly scans: readonly ScanFigures[];
}

export async function readEdgeSpans(database: SpanDatabase, scope: EdgeScope, options: QueryOptions): Promise<ReadEdgeSpans> {
  const scans: ScanFigures[] = [];
  const read = async (selects: readonly string[]): Promise<readonly NativeBlock[]> => {
    const settings = { ...options.settings, optimize_read_in_order: 0, use_index_for_in_with_subqueries_max_values: 200 };
    const { blocks, scan } = await readBlocks(database, selects.join(" UNION ALL "), { ...options, settings });
    scans.push(scan);
    return blocks;
  };
  const { facts, isContextCounted, fresh, senders } = scope;
  const readOld = async (sources: readonly (Source | null)[]): Promise<readonly NativeBlock[]> => {
    const selects = sources.flatMap((source) => (source === null ? [] : selectSpans(!isContextCounted, facts, source, false)));
    return selects.length === 0 ? [] : await read(selects);
  };
  const receiving = receivingSource(scope);
  const [old, newest] = await Promise.all([
    readOld([...contextSources(scope), receiving]),
    read(selectSpans(true, facts, { prewhere: fresh, where: "1" }, true)),
  ]);
  const spans = joinBlocks([...old, ...newest]);
  if (scope.context === null || senders.length === 0) return { spans, scans };
  const sending = await readOld([sendingSource(scope, findMissingSenders(spans), receiving)]);
  return { spans: sending.length === 0 ? spans : joinBlocks([...old, ...sending, ...newest]), scans };
}

function joinBlocks(blocks: readonly NativeBlock[]): EdgeSpans {
  const count = blocks.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, count);
  const service = joinTexts(blocks, "service", count);
  const peer = joinTexts(blocks, "peer", count);
  const links = joinArrays(blocks, "linked", 8);
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
  };
}
