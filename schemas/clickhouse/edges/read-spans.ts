/** The spans of a scope, as columns: the context first, then the fresh ones. */
import type { QueryOptions, ScanFigures, SpanDatabase } from "../database.ts";
import { durationBucketSql } from "../duration-buckets.ts";
import { traceIdSql } from "../id-sql.ts";
import { joinArrays, joinFixed, joinTexts } from "../native/join-columns.ts";
import { readBlocks } from "../native/read-blocks.ts";
import { readInt64 } from "../native/read-int64.ts";
import type { NativeBlock } from "../native/read-native.ts";
import { positionsBefore, type LogEnds } from "../log-positions.ts";
import { findMissingSenders, type EdgeSpans } from "./count-edges.ts";
import type { CountedSenders } from "./counted-senders.ts";
import { PEER_TEXT_SQL } from "./peers.ts";
import { HAS_PARENT, PARENT, SELF, subtractStretches, startsIn, touchedTraces, type EdgeScope, type Stretch } from "./scope.ts";

const LINKED_IDS = "arrayMap((trace, span) -> cityHash64(trace, span), link_trace_id, link_span_id)";
/** Spans that a message may have come from, by the parent (consumers only) and the links. */
const ABOVE_IDS = `arrayConcat(if(kind = 5 AND ${HAS_PARENT}, [${PARENT}], []), ${LINKED_IDS})`;
const MAY_RECEIVE = "(kind = 5 OR (kind IN (0, 1, 2) AND notEmpty(link_span_id)))";
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
 * from a fresh span. Both in one pass: apart they take three times as long.
 */
function contextSources(scope: EdgeScope): string[] {
  const { context, isContextCounted, near, far, receivers } = scope;
  if (context === null) return [];
  const touched = touchedTraces(scope);
  const mayReceive = isContextCounted && receivers.length > 0;
  const isRelated = mayReceive
    ? `(trace_id IN (${touched}) OR arrayExists(one -> one IN (${touched}), link_trace_id))`
    : `trace_id IN (${touched})`;
  const sources = near.length === 0 ? [] : [`${isRelated} AND ${startsIn(near)} AND ${context}`];
  const waiting = mayReceive ? subtractStretches(receivers, near) : [];
  if (waiting.length > 0) sources.push(`${MAY_RECEIVE} AND ${isRelated} AND ${startsIn(waiting)} AND ${context}`);
  const elsewhere = subtractStretches(far.stretches, near);
  if (elsewhere.length > 0)
    sources.push(`${startsIn(elsewhere)} AND trace_id IN (${far.traceIds.map(traceIdSql).join(", ")}) AND ${context}`);
  return sources;
}

/** So many ids are written out; more are found again by the server. */
const WRITTEN_ID_COUNT_MAX = 5_000;
/** Of so many spans the bloom filters of trace ids are asked, a quarter of the time of looking at everything; of 250 they take as long as that. */
const FILTERED_COUNT_MAX = 100;

interface SenderSearch {
  /** By their ids: their trace ids in hex. */
  readonly wanted: ReadonlyMap<bigint, string>;
  readonly stretches: readonly Stretch[];
  /** Condition on where they were counted. */
  readonly context: string;
}

/** Of the context the senders that are wanted. `sources` are those of the context. */
function sendingSource({ wanted, stretches, context }: SenderSearch, fresh: string, sources: readonly string[]): string | null {
  if (wanted.size === 0 || stretches.length === 0) return null;
  const again = [fresh, ...sources]
    .map((source) => `SELECT arrayJoin(${ABOVE_IDS}) FROM spans PREWHERE ${source} AND ${MAY_RECEIVE}`)
    .join(" UNION ALL ");
  const ids = wanted.size <= WRITTEN_ID_COUNT_MAX ? [...wanted.keys()].join(", ") : again;
  const isInTrace =
    wanted.size <= FILTERED_COUNT_MAX ? ` AND trace_id IN (${[...new Set(wanted.values())].map(traceIdSql).join(", ")})` : "";
  return `kind = 4${isInTrace} AND ${SELF} IN (${ids}) AND ${startsIn(stretches)} AND ${context}`;
}

export interface ReadEdgeSpans {
  readonly spans: EdgeSpans;
  readonly scans: readonly ScanFigures[];
  /** False: senders are missing that were not looked for everywhere. */
  readonly isWhole: boolean;
}

/** What whoever reads knows of the senders that were counted. */
export interface KnownSenders {
  readonly senders: CountedSenders;
  /** Of whatever was counted at these positions and behind. */
  readonly from: LogEnds;
}

export interface SenderReading {
  readonly known?: KnownSenders | null;
  /** Among more spans than these, many senders are not looked for. */
  readonly searchedSpanCountMax?: number;
}

export async function readEdgeSpans(
  database: SpanDatabase,
  scope: EdgeScope,
  options: QueryOptions,
  { known = null, searchedSpanCountMax = Infinity }: SenderReading = {},
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
  const sources = contextSources(scope);
  const [old, newest] = await Promise.all([readOld(sources), read(selectSpans(true, facts, fresh, true))]);
  const spans = joinBlocks([...old, ...newest]);
  if (context === null || scope.senders.length === 0) return { spans, scans, isWhole: true };
  const missing = findMissingSenders(spans);
  const sending: NativeBlock[] = [];
  let isWhole = true;
  for (const search of senderSearches(missing, scope, context, known)) {
    if (search.wanted.size > FILTERED_COUNT_MAX && (await countIn(search.stretches)) > searchedSpanCountMax) {
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

/** Where to look for those that are missing, one place after the other; who is found leaves `missing` in between. */
function senderSearches(
  missing: ReadonlyMap<bigint, string>,
  { senders, near }: EdgeScope,
  context: string,
  known: KnownSenders | null,
): SenderSearch[] {
  if (known !== null) {
    const { ids, stretches } = known.senders.locate(missing.keys(), senders);
    const located = new Map([...missing].filter(([id]) => ids.has(id)));
    return [
      { wanted: located, stretches, context },
      { wanted: missing, stretches: senders, context: positionsBefore(known.from) },
    ];
  }
  // Many were most likely sent shortly before they were received; then the rest of the hour is looked through for the others only.
  const first = missing.size > FILTERED_COUNT_MAX ? near : [];
  return [first, subtractStretches(senders, first)].map((stretches) => ({ wanted: missing, stretches, context }));
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
