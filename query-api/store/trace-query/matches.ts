/** What a page shows of the spans that a query found: read by their ids, with what select() asks for. */
import type { FieldValue, MatchedSpan, SpanGroup } from "@callchain/schemas/api/traces.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { Bindings } from "../../search/bindings.ts";
import type { Plan } from "../../search/plan.ts";
import { formatField, type Field } from "../../search/query.ts";
import { spanIdSql, traceIdSql } from "@callchain/schemas/clickhouse/id-sql.ts";
import { IN_RANGE, instantSql, rangeParams, type Asking, type TimeRange } from "../range.ts";
import { compileShownField, joinShownFields } from "../shown-fields.ts";
import { SPAN_ROW_SQL, buildMatchedSpan, spanKeyOf, type Match, type SpanRow } from "../span-rows.ts";
import type { FoundGroup, FoundTrace } from "./find.ts";
import type { SpanIdentity } from "./spans.ts";

const TIMEOUT_MS = 10_000;
const FIRST_SPANS_MAX = 3;

type SelectedRow = SpanRow & { readonly selected: readonly (string | null)[] };

/** The match of each trace, for its summary. What is asked of a trace as a whole looks at its spans in the range. */
export async function readMatches(
  traces: readonly FoundTrace[],
  plan: Plan,
  range: TimeRange,
  asking: Asking,
): Promise<{ byId: ReadonlyMap<string, Match>; scans: readonly ScanFigures[] }> {
  if (traces.length === 0) return { byId: new Map(), scans: [] };
  const { rows, scan } = await readShownSpans(traces, plan.selected, range, asking);
  const byKey = new Map(rows.map((row) => [spanKeyOf(row.id, row.start_nano, row), row]));
  const showSpans = (traceId: string, spans: readonly SpanIdentity[]): MatchedSpan[] =>
    spans.flatMap((span) => {
      const row = byKey.get(keyOf(traceId, span));
      return row === undefined ? [] : [buildMatchedSpan(row, nameValues(plan.selected, row.selected))];
    });
  const hasGroups = plan.shownBy.length > 0;
  const buildGroup = (traceId: string, { by, count, first }: FoundGroup): SpanGroup => ({
    by: nameValues(plan.shownBy, by),
    matchedSpanCount: count,
    matchedSpans: showSpans(traceId, first),
  });
  const byId = new Map(
    traces.map(({ traceId, matchedSpanCount, groups }): [string, Match] => [
      traceId,
      {
        count: matchedSpanCount,
        first: showSpans(traceId, firstOf(groups)),
        groups: hasGroups ? groups.map((group) => buildGroup(traceId, group)) : [],
      },
    ]),
  );
  return { byId, scans: [scan] };
}

function keyOf(traceId: string, { startNano, spanId, kind, durationNano }: SpanIdentity): string {
  return spanKeyOf(traceId, startNano.toString(), { span: spanId, span_kind: kind, span_duration: durationNano.toString() });
}

/** The first of all groups together by start. */
function firstOf(groups: readonly FoundGroup[]): SpanIdentity[] {
  const spans = groups.flatMap(({ first }) => first);
  return spans
    .toSorted((a, b) => (a.startNano === b.startNano ? (a.spanId < b.spanId ? -1 : 1) : a.startNano < b.startNano ? -1 : 1))
    .slice(0, FIRST_SPANS_MAX);
}

function nameValues(fields: readonly Field[], values: readonly (string | null)[]): FieldValue[] {
  return values.map((value, at) => {
    const field = fields[at];
    return { field: field === undefined ? "" : formatField(field), value };
  });
}

async function readShownSpans(
  traces: readonly FoundTrace[],
  selected: readonly Field[],
  range: TimeRange,
  { database, signal }: Asking,
): Promise<{ rows: SelectedRow[]; scan: ScanFigures }> {
  const spans = traces.flatMap(({ groups }) => groups.flatMap(({ first }) => first));
  const starts = spans.map(({ startNano }) => startNano);
  const bindings = new Bindings("s");
  const values = selected.map((field) => compileShownField(field, bindings));
  const isOfTraces = `trace_id IN (${traces.map(({ traceId }) => traceIdSql(traceId)).join(", ")})`;
  const selectedSql = values.length === 0 ? "[]" : `[${values.join(", ")}]`;
  const spanIds = [...new Set(spans.map(({ spanId }) => spanId))];
  return await database.query<SelectedRow>(
    `SELECT lower(hex(trace_id)) AS id, ${SPAN_ROW_SQL}, ${selectedSql} AS selected
     FROM spans ${joinShownFields(selected, `${IN_RANGE} AND ${isOfTraces}`)}
     WHERE start >= ${instantSql("first")} AND start <= ${instantSql("last")}
       AND ${isOfTraces}
       AND span_id IN (${spanIds.map(spanIdSql).join(", ")})`,
    {
      params: {
        ...bindings.params,
        ...rangeParams(range),
        first: starts.reduce((least, start) => (start < least ? start : least)).toString(),
        last: starts.reduce((most, start) => (start > most ? start : most)).toString(),
      },
      signal,
      timeoutMs: TIMEOUT_MS,
    },
  );
}
