/** Links out of a trace's spans, and links of other traces' spans that lead here, with both ends where they are stored. */
import type { LinkEnd, TraceLink, TraceLinksAnswer } from "@callchain/schemas/api/analysis.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { parseCanonicalObject } from "@callchain/schemas/otlp/canonical-json.ts";
import { buildKeyValueJson } from "@callchain/schemas/otlp/export.ts";
import type { TraceId } from "@callchain/schemas/span/ids.ts";
import { UNIX_NANO_MAX, unixNano, type UnixNano } from "@callchain/schemas/span/time.ts";
import { traceIdSql } from "@callchain/schemas/clickhouse/id-sql.ts";
import { IN_RANGE, buildScan, rangeParams, type Asking } from "./range.ts";
import { SPAN_FACTS_SQL, buildSpanFacts, type SpanFactsRow } from "./span-rows.ts";

const TIMEOUT_MS = 10_000;
/** Either way; beyond it the earliest are shown. */
const LINK_COUNT_MAX = 500;
/** What leads to a trace mostly comes after it: messages that wait, up to a day. Before it only clocks that differ. */
const BEFORE_NANO = 3_600_000_000_000n;
const AFTER_NANO = 86_400_000_000_000n;

export interface LinksQuestion {
  readonly traceId: TraceId;
  /** Where to look for backlinks; null: from an hour before the trace to a day after it. */
  readonly from: UnixNano | null;
  readonly to: UnixNano | null;
}

const END_SQL = `lower(hex(trace_id)) AS trace, ${SPAN_FACTS_SQL}`;

interface EndRow extends SpanFactsRow {
  readonly trace: string;
}

interface LinkRow extends EndRow {
  readonly link: readonly [traceId: string, spanId: string, attributes: string];
}

/** One row a link. */
const LINKS_SQL = `SELECT DISTINCT ${END_SQL},
  arrayJoin(arrayMap((t, s, a) -> (lower(hex(t)), lower(hex(s)), a), link_trace_id, link_span_id, link_attributes)) AS link FROM spans`;
const IN_ORDER = `ORDER BY start_nano, span, link LIMIT ${LINK_COUNT_MAX + 1}`;

/** null where no span of the trace is stored. */
export async function getTraceLinks(question: LinksQuestion, asking: Asking): Promise<TraceLinksAnswer | null> {
  const startedMs = performance.now();
  const { traceId } = question;
  const { database, signal } = asking;
  const options = { signal, timeoutMs: TIMEOUT_MS };
  const extent = await database.query<{ n: string; first: string; last: string }>(
    `SELECT count() AS n, min(toUnixTimestamp64Nano(start)) AS first, max(toUnixTimestamp64Nano(start) + duration_nano) AS last
     FROM spans WHERE trace_id = ${traceIdSql(traceId)}`,
    options,
  );
  const [row] = extent.rows;
  if (row === undefined || row.n === "0") return null;
  const range = {
    from: question.from ?? clampTime(BigInt(row.first) - BEFORE_NANO),
    to: question.to ?? clampTime(BigInt(row.last) + AFTER_NANO),
  };
  const [out, back] = await Promise.all([
    database.query<LinkRow>(
      `${LINKS_SQL} WHERE trace_id = ${traceIdSql(traceId)} AND notEmpty(link_span_id) ${IN_ORDER}`,
      options,
    ),
    database.query<LinkRow>(
      `${LINKS_SQL} WHERE ${IN_RANGE} AND has(link_trace_id, ${traceIdSql(traceId)}) AND trace_id != ${traceIdSql(traceId)}
       AND link.1 = {traceId:String} ${IN_ORDER}`,
      { ...options, params: { ...rangeParams(range), traceId } },
    ),
  ]);
  const links = out.rows.slice(0, LINK_COUNT_MAX);
  const backlinks = back.rows.slice(0, LINK_COUNT_MAX);
  const targets = await readTargets([...links, ...backlinks], asking);
  const reasons = [out, back].some(({ rows }) => rows.length > LINK_COUNT_MAX)
    ? [`There are more than ${LINK_COUNT_MAX} links one way; the earliest ${LINK_COUNT_MAX} are here.`]
    : [];
  return {
    traceId,
    links: links.map((link) => buildLink(link, targets.byId)),
    backlinks: backlinks.map((link) => buildLink(link, targets.byId)),
    fromNano: range.from.toString(),
    toNano: range.to.toString(),
    scan: buildScan([extent.scan, out.scan, back.scan, ...targets.scans], startedMs, reasons),
  };
}

function clampTime(nano: bigint): UnixNano {
  return unixNano(nano < 0n ? 0n : nano > UNIX_NANO_MAX ? UNIX_NANO_MAX : nano);
}

interface Targets {
  /** By trace id and span id. */
  readonly byId: ReadonlyMap<string, EndRow>;
  readonly scans: readonly ScanFigures[];
}

/** The spans that the links name, the earliest where several share an id. */
async function readTargets(links: readonly LinkRow[], { database, signal }: Asking): Promise<Targets> {
  if (links.length === 0) return { byId: new Map(), scans: [] };
  const traces = new Set(links.map(({ link }) => traceIdSql(link[0])));
  const spans = new Set(links.map(({ link }) => link[1]));
  const { rows, scan } = await database.query<EndRow>(
    `SELECT ${END_SQL} FROM spans
     WHERE trace_id IN (${[...traces].join(", ")}) AND lower(hex(span_id)) IN (${[...spans].map((id) => `'${id}'`).join(", ")})
     ORDER BY start_nano DESC`,
    { signal, timeoutMs: TIMEOUT_MS },
  );
  return { byId: new Map(rows.map((row) => [`${row.trace} ${row.span}`, row])), scans: [scan] };
}

function buildLink(row: LinkRow, targets: Targets["byId"]): TraceLink {
  const [traceId, spanId, attributes] = row.link;
  const target = targets.get(`${traceId} ${spanId}`);
  const endNano = target === undefined ? null : BigInt(target.start_nano) + BigInt(target.span_duration);
  return {
    source: buildEnd(row.trace, row.span, row),
    target: buildEnd(traceId, spanId, target),
    attributes: buildKeyValueJson(parseCanonicalObject(attributes).attributes),
    waitNano: endNano === null ? null : Number(BigInt(row.start_nano) - endNano),
  };
}

function buildEnd(traceId: string, spanId: string, row: EndRow | undefined): LinkEnd {
  return { traceId, spanId, span: row === undefined ? null : buildSpanFacts(row) };
}
