/** Analyses of one trace: `GET /traces/{id}/critical-path`, `/repeats` and `/links`. */
import {
  TraceCriticalPathAnswer,
  TraceLinksAnswer,
  TraceRepeatsAnswer,
  type RepeatedCalls,
} from "@callchain/schemas/api/analysis.ts";
import type { Scan } from "@callchain/schemas/api/common.ts";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import type { TraceColumns } from "../analysis/columns.ts";
import { formatId, readIds } from "../analysis/ids.ts";
import { findPath } from "../analysis/path.ts";
import { concurrencyOf, findRepeats, medianOf, type CallDetails, type Repeat } from "../analysis/repeats.ts";
import { sumPath } from "../analysis/path-sums.ts";
import { buildCallTree, type CallTree } from "../analysis/tree.ts";
import { readTraceCalls, readTraceColumns } from "../store/trace-columns.ts";
import { getTraceLinks } from "../store/trace-links.ts";
import { pathParam, queryParam } from "./params.ts";
import { defineRoute } from "./route.ts";
import { missingTrace } from "./trace.ts";

/** Of each list of an answer; what is beyond it is counted in the reason. */
const ITEM_COUNT_MAX = 5_000;
const SPAN_ID_COUNT_MAX = 100;

function buildScan(found: TraceColumns, cuts: readonly string[]): Scan {
  const reasons = [...(found.partialReason === null ? [] : [found.partialReason]), ...cuts];
  return { ...found.scan, partial: reasons.length > 0, partialReason: reasons.length === 0 ? null : reasons.join(" ") };
}

/** The first ITEM_COUNT_MAX; tells of the rest in `cuts`. */
function cutList<T>(items: readonly T[], what: string, cuts: string[]): T[] {
  if (items.length > ITEM_COUNT_MAX) cuts.push(`The first ${ITEM_COUNT_MAX} of ${items.length} ${what} are here.`);
  return items.slice(0, ITEM_COUNT_MAX);
}

/** Service, name and kind of the span at a position. */
function describeSpan(at: number, { columns }: TraceColumns, tree: CallTree): Pick<RepeatedCalls, "service" | "name" | "kind"> {
  const row = tree.rows[at] ?? 0;
  return {
    service: columns.services[columns.service[row] ?? 0] ?? "",
    name: columns.names[columns.name[row] ?? 0] ?? "",
    kind: SPAN_KINDS[columns.kind[row] ?? 0] ?? "unspecified",
  };
}

export const traceCriticalPathRoute = defineRoute({
  path: "/traces/{id}/critical-path",
  summary: "The chain of work that the trace's duration hangs on, and who holds how much of it",
  params: { id: pathParam.traceId("Trace id") },
  answer: TraceCriticalPathAnswer,
  mayBeMissing: true,
  handle: async ({ id }, context) => {
    const found = await readTraceColumns(id, context);
    if (found === null) throw missingTrace(id);
    const tree = buildCallTree(found.columns);
    const path = findPath(found.columns, tree);
    const spanIds = readIds(found.columns.spanId);
    const spanIdAt = (at: number): string => formatId(spanIds, tree.rows[at] ?? 0);
    const share = (nano: number): number => (path.totalNano === 0 ? 0 : Math.min(1, nano / path.totalNano));
    const time = (nano: number): { pathNano: number; share: number } => ({ pathNano: nano, share: share(nano) });
    const cuts: string[] = [];
    const spans = [...path.pathNano].toSorted(([a, nanoA], [b, nanoB]) => nanoB - nanoA || a - b);
    const { services, names } = sumPath(path, (at) => describeSpan(at, found, tree));
    return {
      traceId: id,
      startNano: tree.startNano.toString(),
      durationNano: tree.durationNano,
      rootSpanId: spanIdAt(path.root),
      pathNano: path.totalNano,
      segments: cutList(path.segments, "segments", cuts).map(({ row, startNano, endNano }) => ({
        spanId: spanIdAt(row),
        fromNano: startNano,
        toNano: endNano,
      })),
      spans: cutList(spans, "spans", cuts).map(([at, nano]) => ({
        spanId: spanIdAt(at),
        ...describeSpan(at, found, tree),
        ...time(nano),
      })),
      services: services.map(({ service, pathNano, spanCount }) => ({ service, ...time(pathNano), spanCount })),
      names: cutList(names, "span names", cuts).map(({ pathNano, ...rest }) => ({ ...rest, ...time(pathNano) })),
      clocks: cutList(tree.clocks, "pairs of hosts", cuts),
      completeness: tree.completeness,
      scan: buildScan(found, cuts),
    };
  },
});

export const traceRepeatsRoute = defineRoute({
  path: "/traces/{id}/repeats",
  summary: "Alike calls of one caller, five or more: N+1, retries, fan-out; what they cost, dearest first",
  params: { id: pathParam.traceId("Trace id") },
  answer: TraceRepeatsAnswer,
  mayBeMissing: true,
  handle: async ({ id }, context) => {
    const found = await readTraceCalls(id, context);
    if (found === null) throw missingTrace(id);
    const tree = buildCallTree(found.columns);
    const spanIds = readIds(found.columns.spanId);
    const cuts: string[] = [];
    const repeats = cutList(findRepeats(found.columns, found.details, tree), "groups", cuts);
    return {
      traceId: id,
      repeats: repeats.map((repeat) => buildRepeat(repeat, found, tree, (at) => formatId(spanIds, tree.rows[at] ?? 0))),
      scan: buildScan(found, cuts),
    };
  },
});

function buildRepeat(
  repeat: Repeat,
  found: TraceColumns & { readonly details: CallDetails },
  tree: CallTree,
  spanIdAt: (at: number) => string,
): RepeatedCalls {
  const first = repeat.members[0] ?? 0;
  const parent = repeat.parent < 0 ? null : describeSpan(repeat.parent, found, tree);
  const detail = found.details.details[found.details.detail[tree.rows[first] ?? 0] ?? 0] ?? "";
  return {
    parentSpanId: parent === null ? null : spanIdAt(repeat.parent),
    parentService: parent?.service ?? null,
    parentName: parent?.name ?? null,
    ...describeSpan(first, found, tree),
    detail: detail === "" ? null : detail,
    spanCount: repeat.members.length,
    errorCount: repeat.errorCount,
    totalNano: repeat.totalNano,
    minNano: repeat.sortedNano[0] ?? 0,
    medianNano: medianOf(repeat.sortedNano),
    maxNano: repeat.sortedNano.at(-1) ?? 0,
    costNano: repeat.costNano,
    concurrency: concurrencyOf(repeat),
    concurrencyMax: repeat.concurrencyMax,
    pattern: repeat.pattern,
    spanIds: repeat.members.slice(0, SPAN_ID_COUNT_MAX).map(spanIdAt),
  };
}

export const traceLinksRoute = defineRoute({
  path: "/traces/{id}/links",
  summary: "Links out of the trace's spans, and links of other traces' spans to them, with queue wait",
  params: {
    id: pathParam.traceId("Trace id"),
    from: queryParam.optionalTime("Backlinks: start of the time range; left out, an hour before the trace"),
    to: queryParam.optionalTime("Backlinks: end of the time range; left out, a day after the trace"),
  },
  answer: TraceLinksAnswer,
  mayBeMissing: true,
  handle: async ({ id, from, to }, context) => {
    const answer = await getTraceLinks({ traceId: id, from, to }, context);
    if (answer === null) throw missingTrace(id);
    return answer;
  },
});
