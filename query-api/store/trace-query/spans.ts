/** The spans of candidate traces as a TraceQL query sees them: ids, call tree, which conditions hold, and the fields it asks for. */
import type { KnownResources } from "../../search/compile-attribute.ts";
import { joinParents } from "../../analysis/parents.ts";
import type { SpanColumns } from "../../analysis/columns.ts";
import { formatId, readIds, type IdColumn } from "../../analysis/ids.ts";
import { Bindings } from "../../search/bindings.ts";
import { compileNumber } from "../../search/compile-operand.ts";
import { SPAN_HASH_SQL } from "../../search/compile-chosen.ts";
import { compileQuery } from "../../search/compile.ts";
import type { TraceSpans } from "../../search/evaluate.ts";
import type { Plan } from "../../search/plan.ts";
import { compileGroupField } from "../group-by.ts";
import { readBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import type { NativeBlock } from "@callchain/schemas/clickhouse/native/read-native.ts";
import { traceIdSql } from "@callchain/schemas/clickhouse/id-sql.ts";
import { IN_RANGE, instantSql, rangeParams, type Asking, type TimeRange } from "../range.ts";
import { joinFixed, joinTexts } from "@callchain/schemas/clickhouse/native/join-columns.ts";

/** Rows of one statement: about 100 bytes each. */
export const SPAN_ROWS_MAX = 300_000;

export interface SpanQuestion {
  readonly plan: Plan;
  /** Distinct; not empty. */
  readonly traceIds: readonly string[];
  /** Where spans are looked for. */
  readonly range: TimeRange;
  /** Where what is asked of a trace as a whole holds. */
  readonly scope: TimeRange;
  /** Of the spans in its range. */
  readonly resources: KnownResources | null;
  readonly timeoutMs: number;
}

export interface TraceRows {
  readonly traceId: string;
  readonly spans: TraceSpans;
  /** What tells the span at a position from others of its trace. */
  readonly identify: (at: number) => SpanIdentity;
}

export interface SpanIdentity {
  readonly spanId: string;
  readonly startNano: bigint;
  readonly durationNano: bigint;
  readonly kind: number;
  /** SPAN_HASH_SQL */
  readonly hash: bigint;
}

export interface SpanAnswer {
  readonly traces: readonly TraceRows[];
  /** The last of `traces` has further spans: the answer reached SPAN_ROWS_MAX within it. Traces behind it are not here at all. */
  readonly isCut: boolean;
  readonly rowCount: number;
  readonly scan: { readonly rows: number; readonly bytes: number; readonly elapsedMs: number };
}

/** Traces in ascending order of their ids. */
export async function readTraceSpans(question: SpanQuestion, { database, signal }: Asking): Promise<SpanAnswer> {
  const { sql, params } = buildStatement(question);
  const settings = { optimize_read_in_order: 0 };
  const options = { params, signal, settings, timeoutMs: question.timeoutMs };
  const { blocks, rowCount, scan } = await readBlocks(database, sql, options);
  return {
    traces: rowCount === 0 ? [] : splitTraces(readColumns(blocks, rowCount, question.plan)),
    isCut: rowCount === SPAN_ROWS_MAX,
    rowCount,
    scan,
  };
}

/** Copies of a span, equal in every column, come once; the rows of a trace in the order that the call tree is built from. */
export function buildStatement({ plan, traceIds, range, scope, resources }: SpanQuestion): {
  sql: string;
  params: Record<string, unknown>;
} {
  const ids = traceIds.map(traceIdSql).join(", ");
  const options = { traceScope: `${IN_RANGE} AND trace_id IN (${ids})`, resources };
  const filters = plan.filters.map((query, at) => compileQuery(query, { ...options, prefix: `f${at}x` }));
  const bindings = new Bindings("v");
  const bits = filters.map(({ where }, at) => `if(${where}, ${2 ** at}, 0)`);
  const numbers = plan.numbers.map((operand, at) => `${compileNumber(operand, bindings)} AS n${at}`);
  const texts = plan.groupFields.map((field, at) => {
    const value = compileGroupField(field, bindings);
    return `toLowCardinality(if(isNull(${value}), '', concat('=', assumeNotNull(${value})))) AS g${at}`;
  });
  const columns = [`CAST(${bits.join(" + ")}, 'UInt32') AS bits`, ...numbers, ...texts];
  const isMatched = plan.needsAllSpans ? "" : ` AND (${filters.map(({ where }) => where).join(" OR ")})`;
  const sql = `
SELECT DISTINCT trace_id, span_id, parent_span_id, toUnixTimestamp64Nano(start) AS start_nano, duration_nano, service, name, kind, status, ${SPAN_HASH_SQL} AS hash,
  ${columns.join(",\n  ")}
FROM spans
WHERE start >= ${instantSql("readFrom")} AND start < ${instantSql("readTo")} AND trace_id IN (${ids})${isMatched}
ORDER BY trace_id, start_nano, span_id, parent_span_id, duration_nano, kind, status, service, name
LIMIT ${SPAN_ROWS_MAX}`;
  const bounds = { readFrom: range.from.toString(), readTo: range.to.toString() };
  return {
    sql,
    params: Object.assign({ ...rangeParams(scope), ...bounds, ...bindings.params }, ...filters.map(({ params }) => params)),
  };
}

/** The whole answer, column by column. */
interface Columns {
  readonly traceId: Uint8Array;
  readonly spans: SpanColumns;
  readonly spanIds: IdColumn;
  readonly parentIds: IdColumn;
  readonly durationNano: BigUint64Array;
  readonly hash: BigUint64Array;
  readonly bits: Uint32Array;
  readonly numbers: readonly Float64Array[];
  readonly texts: readonly { readonly texts: readonly string[]; readonly indexes: Uint32Array }[];
}

function readColumns(blocks: readonly NativeBlock[], count: number, plan: Plan): Columns {
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, count);
  const service = joinTexts(blocks, "service", count);
  const spanId = new Uint8Array(fixed("span_id", 8));
  const parentId = new Uint8Array(fixed("parent_span_id", 8));
  const durationNano = new BigUint64Array(fixed("duration_nano", 8));
  const nothing = new Uint32Array(count);
  return {
    traceId: new Uint8Array(fixed("trace_id", 16)),
    spans: {
      count,
      spanId,
      parentId,
      startNano: new BigInt64Array(fixed("start_nano", 8)),
      durationNano: Float64Array.from(durationNano, Number),
      service: service.indexes,
      services: service.texts,
      name: nothing,
      names: [""],
      host: nothing,
      hosts: [""],
      kind: new Uint8Array(fixed("kind", 1)),
      status: new Uint8Array(fixed("status", 1)),
      has: new Uint8Array(count),
    },
    spanIds: readIds(spanId),
    parentIds: readIds(parentId),
    durationNano,
    hash: new BigUint64Array(fixed("hash", 8)),
    bits: new Uint32Array(fixed("bits", 4)),
    numbers: plan.numbers.map((_, at) => new Float64Array(fixed(`n${at}`, 8))),
    texts: plan.groupFields.map((_, at) => joinTexts(blocks, `g${at}`, count)),
  };
}

function splitTraces(columns: Columns): TraceRows[] {
  const traces: TraceRows[] = [];
  const { traceId } = columns;
  const { count } = columns.spans;
  const idAt = (row: number): string => Buffer.from(traceId.buffer, 16 * row, 16).toString("hex");
  for (let first = 0; first < count;) {
    const id = idAt(first);
    let end = first + 1;
    while (end < count && idAt(end) === id) end += 1;
    traces.push(buildTrace(columns, id, first, end));
    first = end;
  }
  return traces;
}

function buildTrace(columns: Columns, traceId: string, first: number, end: number): TraceRows {
  const rows = Uint32Array.from({ length: end - first }, (_, at) => first + at);
  const { spans, spanIds, parentIds } = columns;
  const { parent } = joinParents(spans, rows, spanIds, parentIds);
  return {
    traceId,
    spans: {
      count: rows.length,
      parent,
      family: buildFamilies(columns, rows, parent),
      holds: (filter, at) => (((columns.bits[first + at] ?? 0) >>> filter) & 1) === 1,
      number: (number, at) => columns.numbers[number]?.[first + at] ?? Number.NaN,
      text: (field, at) => {
        const column = columns.texts[field];
        const text = column?.texts[column.indexes[first + at] ?? 0] ?? "";
        return text === "" ? null : text.slice(1);
      },
    },
    identify: (at) => ({
      spanId: formatId(spanIds, first + at),
      startNano: spans.startNano[first + at] ?? 0n,
      durationNano: columns.durationNano[first + at] ?? 0n,
      kind: spans.kind[first + at] ?? 0,
      hash: columns.hash[first + at] ?? 0n,
    }),
  };
}

/** By parent id, whether or not the parent is here. The server's half of a call hangs under the client's and has no siblings. */
function buildFamilies({ spanIds, parentIds }: Columns, rows: Uint32Array, parent: Int32Array): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(rows, (row, at) => {
    const above = rows[parent[at] ?? -1];
    const isHalf = above !== undefined && formatId(spanIds, above) === formatId(spanIds, row);
    if (isHalf || ((parentIds.high[row] ?? 0) === 0 && (parentIds.low[row] ?? 0) === 0)) return -1;
    const id = formatId(parentIds, row);
    const number = numbers.get(id) ?? numbers.size;
    numbers.set(id, number);
    return number;
  });
}
