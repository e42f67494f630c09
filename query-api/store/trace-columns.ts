/** The core columns of one trace, for the call tree: fixed-size values and dictionaries, never a row object. */
import type { SpanId, TraceId } from "@callchain/schemas/span/ids.ts";
import type { TraceColumns } from "../analysis/columns.ts";
import type { CallDetails } from "../analysis/repeats.ts";
import { DETAIL_SQL } from "./call-details.ts";
import { joinTexts } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import { readBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import type { NativeBlock } from "@callchain/schemas/clickhouse/native/read-native.ts";
import { SPAN_COLUMNS_SQL, joinSpanColumns } from "./native-columns.ts";
import { spanIdSql, traceIdSql } from "@callchain/schemas/clickhouse/id-sql.ts";
import { OPENED_TRACE, type Asking } from "./range.ts";
import { readWayUp, WAY_UP_COUNT_MAX } from "./way-up.ts";

/** Spans read of one trace; beyond it the earliest are read and the answer says so. */
export const TRACE_SPAN_COUNT_MAX = 1_000_000;

const TIMEOUT_MS = 20_000;

const columnsSql = (id: TraceId, extra: string, spanCountMax = TRACE_SPAN_COUNT_MAX): string => `
SELECT ${SPAN_COLUMNS_SQL}${extra}
FROM spans WHERE trace_id = ${traceIdSql(id)}
ORDER BY start, span_id LIMIT ${spanCountMax + 1}`;

const spanSql = (id: TraceId, spanId: SpanId): string => `
SELECT ${SPAN_COLUMNS_SQL}
FROM spans WHERE trace_id = ${traceIdSql(id)} AND span_id = ${spanIdSql(spanId)} LIMIT 1`;

export interface WantedColumns {
  /** Read together with the spans above it, however late it is. */
  readonly spanId?: SpanId | null;
  readonly spanCountMax?: number;
}

/** null where no span of the trace is stored. */
export async function readTraceColumns(
  id: TraceId,
  asking: Asking,
  { spanId = null, spanCountMax = TRACE_SPAN_COUNT_MAX }: WantedColumns = {},
): Promise<TraceColumns | null> {
  const found = await readRows(columnsSql(id, "", spanCountMax), asking, spanCountMax);
  if (found === null) return null;
  if (spanId === null || found.scan.rows <= found.count) return buildColumns(found);
  const earliestCount = Math.max(0, found.count - WAY_UP_COUNT_MAX);
  const way = await readWayUp(spanId, found.blocks, earliestCount, async (above) => {
    const one = await readRows(spanSql(id, above), asking, 1);
    return one?.blocks ?? [];
  });
  if (way.length === 0) return buildColumns(found);
  return buildColumns({ ...found, blocks: [...way, ...found.blocks], count: earliestCount + way.length }, way.length);
}

/** As readTraceColumns, with what distinguishes the calls beside their names. */
export async function readTraceCalls(id: TraceId, asking: Asking): Promise<(TraceColumns & { details: CallDetails }) | null> {
  const found = await readRows(columnsSql(id, `, ${DETAIL_SQL} AS detail`), asking);
  if (found === null) return null;
  const { indexes, texts } = joinTexts(found.blocks, "detail", found.count);
  return { ...buildColumns(found), details: { detail: indexes, details: texts } };
}

interface FoundBlocks {
  readonly blocks: readonly NativeBlock[];
  /** Rows to keep of those that came. */
  readonly count: number;
  readonly scan: TraceColumns["scan"];
}

async function readRows(
  sql: string,
  { database, signal }: Asking,
  spanCountMax = TRACE_SPAN_COUNT_MAX,
): Promise<FoundBlocks | null> {
  const settings = { optimize_read_in_order: 0, ...OPENED_TRACE };
  const { blocks, rowCount, scan } = await readBlocks(database, sql, { signal, timeoutMs: TIMEOUT_MS, settings });
  return rowCount === 0 ? null : { blocks, count: Math.min(rowCount, spanCountMax), scan };
}

function buildColumns({ blocks, count, scan }: FoundBlocks, wayUpCount = 0): TraceColumns {
  const more = wayUpCount === 0 ? "" : ", and the span that was asked for with those above it";
  return {
    columns: joinSpanColumns(blocks, count),
    scan,
    partialReason:
      scan.rows > count
        ? `The trace has more than ${scan.rows - 1} spans; the earliest ${count - wayUpCount} are here${more}.`
        : null,
  };
}

/** Messages longer than this come cut; spans with one beyond this count come without. */
const MESSAGE_CHARS_MAX = 1_000;
const MESSAGE_COUNT_MAX = 20_000;

/** Status messages by span id (hex); few spans have one, so that they are not among the columns. */
export async function readStatusMessages(id: TraceId, { database, signal }: Asking): Promise<Map<string, string>> {
  const { rows } = await database.query<{ span: string; message: string }>(
    `SELECT lower(hex(span_id)) AS span, substringUTF8(status_message, 1, ${MESSAGE_CHARS_MAX}) AS message
     FROM spans WHERE trace_id = ${traceIdSql(id)} AND status_message != '' LIMIT ${MESSAGE_COUNT_MAX}`,
    { signal, timeoutMs: TIMEOUT_MS, settings: OPENED_TRACE },
  );
  return new Map(rows.map(({ span, message }) => [span, message]));
}
