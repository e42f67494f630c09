/** Analyses over the newest traces that match: `GET /critical-path`, `/repeats` and `/skew`. */
import { CriticalPathAnswer, RepeatsAnswer, SkewAnswer } from "@callchain/schemas/api/analysis.ts";
import type { Scan } from "@callchain/schemas/api/common.ts";
import type { ClockEvidence } from "../analysis/clocks.ts";
import { RepeatedCallSums, patternOf, type RepeatedCall } from "../analysis/cohort-repeats.ts";
import { PathShares, type PathGroup } from "../analysis/cohort-path.ts";
import { findPath } from "../analysis/path.ts";
import { medianOf } from "../analysis/repeats.ts";
import { describeClocks, gatherEvidence } from "../analysis/skew.ts";
import { listTraces, type CohortTrace } from "../store/cohort-traces.ts";
import { COHORT_TRACE_COUNT_MAX, readCohort, type Cohort } from "../store/cohort.ts";
import { GROUP_FIELD_ACCEPTED, parseGroupField, type GroupField } from "../store/group-by.ts";
import { buildScan } from "../store/range.ts";
import { buildTraceQuery, traceFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { defineRoute } from "./route.ts";

/** Parameters that choose traces, as the search of traces has them. */
const cohortParams = {
  ...traceFilters,
  ...timeRange,
  traces: queryParam.wholeNumber(COHORT_TRACE_COUNT_MAX, 1, COHORT_TRACE_COUNT_MAX, "Traces looked at, at most; the newest"),
};

/** Items of an answer; the rest is counted in the reason. */
const ITEM_COUNT_MAX = 1_000;

function scanOf(cohort: Cohort, startedMs: number, itemCount: number): Scan {
  const cut = itemCount > ITEM_COUNT_MAX ? [`The first ${ITEM_COUNT_MAX} of ${itemCount} are here.`] : [];
  return buildScan(cohort.scans, startedMs, [...cohort.partialReasons, ...cut]);
}

type PathBy = { readonly text: string; readonly field: GroupField | "name" | "service" };

function parsePathBy(text: string): PathBy | undefined {
  if (text === "name" || text === "service") return { text, field: text };
  const field = parseGroupField(text);
  return field === undefined ? undefined : { text, field };
}

/** Groups are keyed by service, or by service and name, or by the text of an attribute; each key is put together once. */
function keysOf(cohort: Cohort, by: PathBy["field"]): (trace: CohortTrace) => (at: number) => string {
  const { services, names } = cohort.columns;
  const keys = new Map<number, string>();
  const nameKey = (service: number, name: number): string => {
    const number = service * names.length + name;
    const known = keys.get(number);
    if (known !== undefined) return known;
    const key = JSON.stringify([services[service] ?? "", names[name] ?? ""]);
    keys.set(number, key);
    return key;
  };
  return ({ columns, tree, from }) =>
    (at) => {
      const row = tree.rows[at] ?? 0;
      const service = columns.service[row] ?? 0;
      if (by === "service") return services[service] ?? "";
      if (by === "name") return nameKey(service, columns.name[row] ?? 0);
      return cohort.extra?.texts[cohort.extra.indexes[from + row] ?? 0] ?? "";
    };
}

function describeKey(key: string, by: PathBy["field"]): { service: string | null; value: string | null } {
  if (by === "service") return { service: key, value: key };
  if (by !== "name") return { service: null, value: key === "" ? null : key.slice(1) };
  const parsed: unknown = JSON.parse(key);
  const [service, value] = Array.isArray(parsed) ? parsed.map(String) : [];
  return { service: service ?? null, value: value ?? null };
}

export const criticalPathRoute = defineRoute({
  path: "/critical-path",
  summary: "Who holds how much of the critical path, over the newest traces that match",
  params: {
    ...cohortParams,
    by: queryParam.parsed(
      "Field to group by; fallback: name (of the span, within its service)",
      GROUP_FIELD_ACCEPTED,
      parsePathBy,
    ),
  },
  answer: CriticalPathAnswer,
  handle: async (params, context) => {
    const startedMs = performance.now();
    const { from, to, traces } = params;
    const by: PathBy = params.by ?? { text: "name", field: "name" };
    const extra = by.field === "name" || by.field === "service" ? null : by.field;
    const question = { range: { from, to }, query: buildTraceQuery(params), traceCountMax: traces, extra };
    const cohort = await readCohort(question, context);
    const shares = new PathShares();
    const keyOf = keysOf(cohort, by.field);
    for await (const trace of listTraces(cohort, context.signal))
      shares.add(trace.traceId, findPath(trace.columns, trace.tree), keyOf(trace));
    const groups = shares.list();
    const build = ({ key, pathNano, spanCount, traceCount, examples }: PathGroup): CriticalPathAnswer["groups"][number] => ({
      ...describeKey(key, by.field),
      pathNano,
      share: shares.totalNano === 0 ? 0 : Math.min(1, pathNano / shares.totalNano),
      spanCount,
      traceCount,
      exampleTraceIds: examples.map(({ traceId }) => traceId),
    });
    return {
      query: cohort.query,
      by: by.text,
      pathNano: shares.totalNano,
      groups: groups.slice(0, ITEM_COUNT_MAX).map(build),
      sample: cohort.sample,
      scan: scanOf(cohort, startedMs, groups.length),
    };
  },
});

export const repeatsRoute = defineRoute({
  path: "/repeats",
  summary: "Which calls are made again and again by one caller, over the newest traces that match; dearest first",
  params: cohortParams,
  answer: RepeatsAnswer,
  handle: async (params, context) => {
    const startedMs = performance.now();
    const { from, to, traces } = params;
    const question = { range: { from, to }, query: buildTraceQuery(params), traceCountMax: traces, extra: "detail" as const };
    const cohort = await readCohort(question, context);
    const sums = new RepeatedCallSums();
    const { texts, indexes } = cohort.extra ?? { texts: [], indexes: new Uint32Array() };
    for await (const { traceId, columns, tree, from: first } of listTraces(cohort, context.signal)) {
      const details = { detail: indexes.subarray(first, first + columns.count), details: texts };
      sums.add(traceId, columns, details, tree);
    }
    const calls = sums.list();
    return {
      query: cohort.query,
      repeats: calls.slice(0, ITEM_COUNT_MAX).map(buildRepeat),
      sample: cohort.sample,
      scan: scanOf(cohort, startedMs, calls.length),
    };
  },
});

function buildRepeat(call: RepeatedCall): RepeatsAnswer["repeats"][number] {
  const { durations, examples, serialCount, detail, ...rest } = call;
  return {
    ...rest,
    detail: detail === "" ? null : detail,
    medianNano: medianOf(Float64Array.from(durations).sort()),
    perParent: call.spanCount / call.parentCount,
    serialShare: serialCount / call.parentCount,
    pattern: patternOf(call),
    exampleTraceIds: examples.map(({ traceId }) => traceId),
  };
}

export const skewRoute = defineRoute({
  path: "/skew",
  summary: "Clocks of hosts that call each other, compared over the newest traces that match",
  params: cohortParams,
  answer: SkewAnswer,
  handle: async (params, context) => {
    const startedMs = performance.now();
    const { from, to, traces } = params;
    const question = { range: { from, to }, query: buildTraceQuery(params), traceCountMax: traces, extra: null };
    const cohort = await readCohort(question, context);
    const evidence = new Map<number, ClockEvidence>();
    for await (const { columns, tree } of listTraces(cohort, context.signal)) {
      const start = Float64Array.from(columns.startNano, (nano) => (nano <= 0n ? 0 : Number(nano - tree.startNano)));
      gatherEvidence({ columns, rows: tree.rows, parent: tree.parent, start }, evidence);
    }
    const pairs = describeClocks(evidence, cohort.columns.hosts).toSorted(
      (a, b) => Number(b.offsetNano !== 0) - Number(a.offsetNano !== 0) || b.callCount - a.callCount,
    );
    return { pairs: pairs.slice(0, ITEM_COUNT_MAX), sample: cohort.sample, scan: scanOf(cohort, startedMs, pairs.length) };
  },
});
