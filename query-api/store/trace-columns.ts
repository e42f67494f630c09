/** The core columns of one trace, for the call tree: fixed-size values and dictionaries, never a row object. */
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { TraceId } from "@callchain/schemas/span/ids.ts";
import { HOST_KEYS, type SpanColumns, type TraceColumns } from "../analysis/columns.ts";
import { readNative, type NativeBlock } from "./native-reader.ts";
import { INDEXES_FIRST, traceIdSql, type Asking } from "./range.ts";

/** Spans read of one trace; beyond it the earliest are read and the answer says so. */
export const TRACE_SPAN_COUNT_MAX = 1_000_000;

const TIMEOUT_MS = 20_000;

const HOST_SQL = `toLowCardinality(coalesce(${HOST_KEYS.map((key) => `nullIf(JSONExtractString(toString(resource), '${key}'), '')`).join(", ")}, toString(service)))`;

const columnsSql = (id: TraceId): string => `
SELECT span_id, parent_span_id, toUnixTimestamp64Nano(start) AS start_nano, duration_nano, service, name, kind, status,
    toUInt8(notEmpty(event_time) + 2 * notEmpty(link_span_id)) AS has, ${HOST_SQL} AS host
FROM spans WHERE trace_id = ${traceIdSql(id)}
ORDER BY start, span_id LIMIT ${TRACE_SPAN_COUNT_MAX + 1} FORMAT Native`;

/** null where no span of the trace is stored. */
export async function readTraceColumns(id: TraceId, { database, signal }: Asking): Promise<TraceColumns | null> {
  const startedMs = performance.now();
  // Held whole here anyway: the engine need not stream it.
  const settings = { ...INDEXES_FIRST, optimize_read_in_order: 0, wait_end_of_query: 1 };
  const chunks: Uint8Array[] = [];
  for await (const chunk of await database.stream(columnsSql(id), { signal, timeoutMs: TIMEOUT_MS, settings }))
    chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const blocks = [...readNative(bytes)].filter(({ rowCount }) => rowCount > 0);
  const found = blocks.reduce((sum, { rowCount }) => sum + rowCount, 0);
  if (found === 0) return null;
  const count = Math.min(found, TRACE_SPAN_COUNT_MAX);
  return {
    columns: joinBlocks(blocks, count),
    scan: { rows: found, bytes: bytes.length, elapsedMs: performance.now() - startedMs },
    partialReason:
      found > count
        ? `The trace has more than ${TRACE_SPAN_COUNT_MAX} spans; the earliest ${TRACE_SPAN_COUNT_MAX} are here.`
        : null,
  };
}

function joinBlocks(blocks: readonly NativeBlock[], count: number): SpanColumns {
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, count);
  const service = joinTexts(blocks, "service", count);
  const name = joinTexts(blocks, "name", count);
  const host = joinTexts(blocks, "host", count);
  return {
    count,
    spanId: new Uint8Array(fixed("span_id", 8)),
    parentId: new Uint8Array(fixed("parent_span_id", 8)),
    startNano: new BigInt64Array(fixed("start_nano", 8)),
    durationNano: Float64Array.from(new BigUint64Array(fixed("duration_nano", 8)), Number),
    service: service.indexes,
    name: name.indexes,
    host: host.indexes,
    kind: new Uint8Array(fixed("kind", 1)),
    status: new Uint8Array(fixed("status", 1)),
    has: new Uint8Array(fixed("has", 1)),
    services: service.texts,
    names: name.texts,
    hosts: host.texts,
  };
}

/** The bytes of the first `count` rows. Throws Failure "internal" where the column is not of this size. */
export function joinFixed(blocks: readonly NativeBlock[], name: string, size: number, count: number): ArrayBuffer {
  const joined = new Uint8Array(size * count);
  let at = 0;
  for (const { columns } of blocks) {
    const column = columns.get(name);
    if (column?.kind !== "fixed" || column.size !== size)
      throw new Failure("internal", `column ${name} is not of ${size} bytes a row`);
    joined.set(column.bytes.subarray(0, joined.length - at), at);
    at += column.bytes.length;
  }
  return joined.buffer;
}

/** One dictionary of all blocks'. */
export function joinTexts(
  blocks: readonly NativeBlock[],
  name: string,
  count: number,
): { texts: string[]; indexes: Uint32Array } {
  const known = new Map<string, number>();
  const indexes = new Uint32Array(count);
  let row = 0;
  for (const { columns } of blocks) {
    const column = columns.get(name);
    if (column?.kind !== "text") throw new Failure("internal", `column ${name} is no dictionary`);
    // A block's dictionary holds more than its rows use: the empty text, and what was filtered out.
    const renumbered = new Int32Array(column.keys.length).fill(-1);
    for (let at = 0; at < column.indexes.length && row < count; at += 1, row += 1) {
      const key = column.indexes[at] ?? 0;
      const number = renumbered[key] ?? -1;
      indexes[row] = number >= 0 ? number : (renumbered[key] = numberOf(known, column.keys[key] ?? ""));
    }
  }
  return { texts: [...known.keys()], indexes };
}

function numberOf(known: Map<string, number>, text: string): number {
  const number = known.get(text) ?? known.size;
  known.set(text, number);
  return number;
}

/** Messages longer than this come cut; spans with one beyond this count come without. */
const MESSAGE_CHARS_MAX = 1_000;
const MESSAGE_COUNT_MAX = 20_000;

/** Status messages by span id (hex); few spans have one, so that they are not among the columns. */
export async function readStatusMessages(id: TraceId, { database, signal }: Asking): Promise<Map<string, string>> {
  const { rows } = await database.query<{ span: string; message: string }>(
    `SELECT lower(hex(span_id)) AS span, substringUTF8(status_message, 1, ${MESSAGE_CHARS_MAX}) AS message
     FROM spans WHERE trace_id = ${traceIdSql(id)} AND status_message != '' LIMIT ${MESSAGE_COUNT_MAX}`,
    { signal, timeoutMs: TIMEOUT_MS, settings: INDEXES_FIRST },
  );
  return new Map(rows.map(({ span, message }) => [span, message]));
}
