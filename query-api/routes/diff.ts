/** `GET /diff`: two traces, or the traces of two queries, merged by call path. */
import { DiffAnswer, type DiffSide } from "@callchain/schemas/api/analysis.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { parseTraceId, type TraceId } from "@callchain/schemas/span/ids.ts";
import { CallPaths, type Side } from "../analysis/diff.ts";
import { buildCallTree } from "../analysis/tree.ts";
import { parseTraceQuery } from "../search/parse.ts";
import type { TraceQuery } from "../search/trace-query.ts";
import { listTraces } from "../store/cohort-traces.ts";
import { COHORT_TRACE_COUNT_MAX, readCohort } from "../store/cohort.ts";
import { buildScan, type TimeRange } from "../store/range.ts";
import { readTraceColumns } from "../store/trace-columns.ts";
import { queryParam, timeRange, type Param } from "./params.ts";
import { defineRoute, type RouteContext } from "./route.ts";
import { missingTrace } from "./trace.ts";

const NODE_COUNT_MAX = 3_000;
const SIDE_ACCEPTED =
  'a trace id (32 or 16 hex digits), or a query in TraceQL for traces, e.g. { resource.service.version = "1.2" } >> { status = error }';

type SideQuestion = { readonly kind: "trace"; readonly id: TraceId } | { readonly kind: "query"; readonly query: TraceQuery };

function parseSide(text: string): SideQuestion | undefined {
  if (/^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i.test(text)) {
    return /[^0]/.test(text) ? { kind: "trace", id: parseTraceId(text) } : undefined;
  }
  return text.trim() === "" ? undefined : { kind: "query", query: parseTraceQuery(text) };
}

const sideParam = (which: string): Param<SideQuestion> =>
  queryParam.required(`${which} side of the comparison`, SIDE_ACCEPTED, parseSide);

export const diffRoute = defineRoute({
  path: "/diff",
  summary: "Two traces, or the newest traces of two queries, merged by call path: counts, errors, self time and total time",
  params: {
    a: sideParam("First"),
    b: sideParam("Second"),
    ...timeRange,
    traces: queryParam.wholeNumber(2_000, 1, COHORT_TRACE_COUNT_MAX, "Traces looked at per query, at most; the newest"),
  },
  answer: DiffAnswer,
  mayBeMissing: true,
  handle: async ({ a, b, from, to, traces }, context) => {
    const startedMs = performance.now();
    const paths = new CallPaths();
    const add = (side: Side, question: SideQuestion): Promise<AddedSide> =>
      question.kind === "trace"
        ? addTrace(paths, side, question.id, context)
        : addQuery(paths, side, question.query, { from, to }, traces, context);
    const first = await add("a", a);
    const second = await add("b", b);
    const { nodes, pathCount, changedCount } = paths.list(NODE_COUNT_MAX);
    const reasons = [
      ...first.partialReasons.map((reason) => `a: ${reason}`),
      ...second.partialReasons.map((reason) => `b: ${reason}`),
      ...(nodes.length < pathCount ? [`The ${nodes.length} of ${pathCount} call paths with most time are here.`] : []),
      ...(paths.leftOutSpanCount > 0 ? [`${paths.leftOutSpanCount} spans on further call paths were left out.`] : []),
    ];
    return {
      a: buildSide(first, paths, "a"),
      b: buildSide(second, paths, "b"),
      nodes,
      changedCount,
      scan: buildScan([...first.scans, ...second.scans], startedMs, reasons),
    };
  },
});

interface AddedSide extends Pick<DiffSide, "kind" | "text" | "sample"> {
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

async function addTrace(paths: CallPaths, side: Side, id: TraceId, context: RouteContext): Promise<AddedSide> {
  const found = await readTraceColumns(id, context);
  if (found === null) throw missingTrace(id);
  const tree = buildCallTree(found.columns);
  paths.add(side, found.columns, tree);
  const endNano = tree.startNano + BigInt(Math.ceil(tree.durationNano));
  return {
    kind: "trace",
    text: id,
    sample: {
      traceCount: 1,
      spanCount: tree.count,
      fromNano: tree.startNano.toString(),
      toNano: endNano.toString(),
      whole: found.partialReason === null,
    },
    scans: [found.scan],
    partialReasons: found.partialReason === null ? [] : [found.partialReason],
  };
}

async function addQuery(
  paths: CallPaths,
  side: Side,
  query: TraceQuery,
  range: TimeRange,
  traceCountMax: number,
  context: RouteContext,
): Promise<AddedSide> {
  const cohort = await readCohort({ range, query, traceCountMax, extra: null }, context);
  for await (const { columns, tree } of listTraces(cohort, context.signal)) paths.add(side, columns, tree);
  const { query: text, sample, scans, partialReasons } = cohort;
  return { kind: "query", text, sample, scans, partialReasons };
}

function buildSide({ kind, text, sample }: AddedSide, paths: CallPaths, side: Side): DiffSide {
  const { traceCount, errorCount, durationNano } = paths.totals[side];
  return { kind, text, sample, errorCount, durationNano: durationNano / Math.max(1, traceCount) };
}
