/**
 * What has been stored since a position. Every row carries the log record it came from, and a partition's records are stored in their
 * order, so that the highest offset of each partition says what is stored, and what lies between two such positions is new:
 *
 *   log partition 0   .. 41 | 42 .. 57 |
 *   log partition 1   ..  7 |  8 ..  9 |
 *                        seen      stored
 */
import type { TailSpan } from "@callchain/schemas/api/tail.ts";
import { unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { compileQuery } from "../search/compile.ts";
import type { Query } from "../search/query.ts";
import { NO_PARENT, instantSql, type Asking } from "./range.ts";
import { SPAN_FACTS_SQL, buildSpanFacts, type SpanFactsRow } from "./span-rows.ts";

/** The highest offset by log partition. */
export type StoredPosition = ReadonlyMap<number, bigint>;

const TIMEOUT_MS = 10_000;
/** Conditions on a trace (rootName, traceDuration) look at its spans that started so long before now. */
const TRACE_SCOPE_MS = 3_600_000;

const POSITION = /^(?:\d{1,10}:\d{1,20}(?:,\d{1,10}:\d{1,20})*)?$/;
const PARTITION_COUNT_MAX = 10_000;

/** `0:57,1:9`; empty where nothing is stored. */
export function formatPosition(position: StoredPosition): string {
  return [...position].map(([partition, offset]) => `${partition}:${offset}`).join(",");
}

/** undefined where the text is not one of formatPosition's. */
export function parsePosition(text: string): StoredPosition | undefined {
  if (!POSITION.test(text)) return undefined;
  const position = new Map<number, bigint>();
  for (const item of text === "" ? [] : text.split(",")) {
    const [partition = "", offset = ""] = item.split(":");
    if (Number(partition) > 0xff_ff_ff_ff || BigInt(offset) > 0xff_ff_ff_ff_ff_ff_ff_ffn) return undefined;
    position.set(Number(partition), BigInt(offset));
  }
  return position.size > PARTITION_COUNT_MAX ? undefined : position;
}

/** Answered from a projection: milliseconds on any table. */
export async function readStoredPosition({ database, signal }: Asking): Promise<StoredPosition> {
  const { rows } = await database.query<{ partition: number; last: string }>(
    "SELECT log_partition AS partition, max(log_offset) AS last FROM spans GROUP BY log_partition ORDER BY log_partition",
    { signal, timeoutMs: TIMEOUT_MS, settings: { optimize_use_projections: 1 } },
  );
  return new Map(rows.map(({ partition, last }) => [partition, BigInt(last)]));
}

/** The partitions that have gone on. One whose log began anew (an offset below the one seen) is followed from its new end. */
export function advancedPartitions(
  seen: StoredPosition,
  stored: StoredPosition,
): { partition: number; after: bigint; to: bigint }[] {
  return [...stored].flatMap(([partition, to]) => {
    const after = seen.get(partition) ?? -1n;
    return to > after ? [{ partition, after, to }] : [];
  });
}

export interface StoredSince {
  /** By start. */
  readonly spans: readonly TailSpan[];
  /** Matching spans beyond the limit, the earliest by start. */
  readonly droppedCount: number;
}

/** Matching spans between the positions, the last `limit` of them by start. Rows that arrived before yesterday are not looked at. */
export async function readStoredSince(
  question: { readonly seen: StoredPosition; readonly stored: StoredPosition; readonly query: Query; readonly limit: number },
  { database, signal }: Asking,
): Promise<StoredSince> {
  const advanced = advancedPartitions(question.seen, question.stored);
  if (advanced.length === 0) return { spans: [], droppedCount: 0 };
  const compiled = compileQuery(question.query, { traceScope: `start >= ${instantSql("scopeFrom")}` });
  const where = `ingest_day >= today() - 1 AND (${advanced.map(isNewSql).join(" OR ")}) AND ${compiled.where}`;
  const options = {
    params: { ...compiled.params, scopeFrom: unixNanoFromMs(Date.now() - TRACE_SCOPE_MS).toString() },
    signal,
    timeoutMs: TIMEOUT_MS,
  };
  const { rows } = await database.query<TailRow>(
    `SELECT ${TAIL_SQL} FROM spans WHERE ${where} ORDER BY start DESC LIMIT ${question.limit}`,
    options,
  );
  const spans = rows.map(buildTailSpan).toReversed();
  if (rows.length < question.limit) return { spans, droppedCount: 0 };
  const counted = await database.query<{ n: string }>(`SELECT count() AS n FROM spans WHERE ${where}`, options);
  return { spans, droppedCount: Math.max(0, Number(counted.rows[0]?.n ?? 0) - spans.length) };
}

/** Numbers only, put together here: thousands of bound parameters would take longer to plan. */
function isNewSql({ partition, after, to }: { partition: number; after: bigint; to: bigint }): string {
  const from = after < 0n ? "" : ` AND log_offset > ${after}`;
  return `(log_partition = ${partition}${from} AND log_offset <= ${to})`;
}

const TAIL_SQL = `lower(hex(trace_id)) AS trace, parent_span_id = ${NO_PARENT} AS is_root, ${SPAN_FACTS_SQL}`;

interface TailRow extends SpanFactsRow {
  readonly trace: string;
  readonly is_root: number;
}

function buildTailSpan(row: TailRow): TailSpan {
  return { traceId: row.trace, spanId: row.span, root: row.is_root === 1, ...buildSpanFacts(row) };
}
