/**
 * The same questions in the words of each query API, as its own page asks them. Answers differ in what they carry: Jaeger's and Zipkin's
 * searches bring whole traces with every attribute, Callchain's brings a summary of each; so the number of traces stands beside the time.
 */
import { z } from "zod";
import { traceIdOf } from "../../support/store-spans.ts";
import { DAY_NANO, HOUR_NANO, LARGE_TRACES, type SeenSpan } from "./fill.ts";

type Dialect = "callchain" | "jaeger" | "zipkin";

export interface Day {
  readonly fromNano: bigint;
  readonly seen: readonly SeenSpan[];
}

export interface Question {
  readonly name: string;
  /** Path and query, with other values for each repeat; null: this API has no such question. */
  readonly ask: (dialect: Dialect, day: Day, repeat: number) => string | null;
  /** Repeats at most: of a question that takes long. */
  readonly repeatsMax?: number;
}

export function dialectOf(systemName: string): Dialect {
  if (systemName.startsWith("callchain")) return "callchain";
  return systemName.startsWith("jaeger") ? "jaeger" : "zipkin";
}

const LIMIT = "20";

interface Search {
  readonly span: SeenSpan;
  readonly from: bigint;
  readonly to: bigint;
  readonly attribute?: readonly [string, string];
  readonly minDurationMs?: number;
  readonly isError?: boolean;
}

/** Newest 20 traces with a span of the service that is so. */
function search(dialect: Dialect, { span, from, to, attribute, minDurationMs, isError = false }: Search): string {
  const params = new URLSearchParams();
  const [key, value] = attribute ?? [];
  if (dialect === "callchain") {
    params.set("from", String(from));
    params.set("to", String(to));
    params.set("service", span.service);
    if (key !== undefined) params.set("q", `{ span.${key} = "${value}" }`);
    if (minDurationMs !== undefined) params.set("minDuration", `${minDurationMs}ms`);
    if (isError) params.set("status", "error");
    return `/api/v1/traces?${params.toString()}`;
  }
  params.set("limit", LIMIT);
  if (dialect === "jaeger") {
    params.set("service", span.service);
    params.set("start", String(from / 1000n));
    params.set("end", String(to / 1000n));
    const tags = { ...(key === undefined ? {} : { [key]: value }), ...(isError ? { error: "true" } : {}) };
    if (Object.keys(tags).length > 0) params.set("tags", JSON.stringify(tags));
    if (minDurationMs !== undefined) params.set("minDuration", `${minDurationMs}ms`);
    return `/api/traces?${params.toString()}`;
  }
  params.set("serviceName", span.service);
  params.set("endTs", String(to / 1_000_000n));
  params.set("lookback", String((to - from) / 1_000_000n));
  const terms = [...(key === undefined ? [] : [`${key}=${value}`]), ...(isError ? ["error"] : [])];
  if (terms.length > 0) params.set("annotationQuery", terms.join(" and "));
  if (minDurationMs !== undefined) params.set("minDuration", String(minDurationMs * 1000));
  return `/api/v2/traces?${params.toString()}`;
}

function trace(dialect: Dialect, traceId: string, view: "skeleton" | "otlp"): string {
  if (dialect === "callchain") return `/api/v1/traces/${traceId}${view === "skeleton" ? "?view=skeleton" : ""}`;
  return dialect === "jaeger" ? `/api/traces/${traceId}` : `/api/v2/trace/${traceId}`;
}

function graph(dialect: Dialect, { fromNano }: Day, nano: bigint): string {
  const to = fromNano + DAY_NANO;
  if (dialect === "callchain") return `/api/v1/dependencies?from=${to - nano}&to=${to}`;
  const range = `endTs=${to / 1_000_000n}&lookback=${nano / 1_000_000n}`;
  return dialect === "jaeger" ? `/api/dependencies?${range}` : `/api/v2/dependencies?${range}`;
}

function seenAt({ seen }: Day, repeat: number): SeenSpan {
  const span = seen[(repeat * 7919) % seen.length];
  if (span === undefined) throw new Error("nothing was sent that could be asked for");
  return span;
}

const wholeDay = ({ fromNano }: Day): { from: bigint; to: bigint } => ({ from: fromNano, to: fromNano + DAY_NANO });

const largeTraces = (view: "skeleton" | "otlp"): Question[] =>
  LARGE_TRACES.map((count) => ({
    name: `trace of ${count.toLocaleString("en-US")} spans${view === "otlp" ? ", every attribute" : ", what the page needs first"}`,
    ask: (dialect) => trace(dialect, traceIdOf(count), view),
    repeatsMax: count > 10_000 ? 3 : 10,
  }));

export const QUESTIONS: readonly Question[] = [
  {
    name: "trace of 10-20 spans, what the page needs first",
    ask: (dialect, day, repeat) => trace(dialect, seenAt(day, repeat).traceId, "skeleton"),
  },
  {
    name: "trace of 10-20 spans, every attribute",
    ask: (dialect, day, repeat) => trace(dialect, seenAt(day, repeat + 500).traceId, "otlp"),
  },
  ...largeTraces("skeleton"),
  ...largeTraces("otlp"),
  {
    name: "newest 20 of a service, 1 h",
    ask: (dialect, day, repeat) => {
      const span = seenAt(day, repeat);
      const from = span.startNano - HOUR_NANO / 2n;
      return search(dialect, { span, from, to: from + HOUR_NANO });
    },
  },
  {
    name: "rare attribute value (user.id) in a service, 24 h",
    ask: (dialect, day, repeat) => {
      const span = seenAt(day, repeat + 100);
      return search(dialect, { span, ...wholeDay(day), attribute: ["user.id", span.user] });
    },
  },
  {
    name: "common attribute value (http.request.method) in a service, 24 h",
    ask: (dialect, day, repeat) =>
      search(dialect, { span: seenAt(day, repeat + 200), ...wholeDay(day), attribute: ["http.request.method", "GET"] }),
  },
  {
    name: "longer than 1 s and failed, in a service, 24 h",
    ask: (dialect, day, repeat) =>
      search(dialect, { span: seenAt(day, repeat + 300), ...wholeDay(day), minDurationMs: 1000, isError: true }),
  },
  { name: "service graph, 1 h", ask: (dialect, day) => graph(dialect, day, HOUR_NANO), repeatsMax: 5 },
  { name: "service graph, 24 h", ask: (dialect, day) => graph(dialect, day, DAY_NANO), repeatsMax: 3 },
  {
    name: "latency percentiles of a service, 24 h",
    ask: (dialect, day, repeat) => {
      const { from, to } = wholeDay(day);
      const service = seenAt(day, repeat).service;
      return dialect === "callchain" ? `/api/v1/latency?from=${from}&to=${to}&service=${encodeURIComponent(service)}` : null;
    },
  },
];

const Answer = z.union([
  z.object({ traces: z.array(z.unknown()) }).transform(({ traces }) => traces.length),
  z.object({ edges: z.array(z.unknown()) }).transform(({ edges }) => edges.length),
  z.object({ data: z.array(z.unknown()).nullable() }).transform(({ data }) => data?.length ?? 0),
  z.array(z.unknown()).transform((list) => list.length),
]);

/** Traces of a search, edges of a graph; null where the answer is neither. */
export function countFound(body: unknown): number | null {
  return Answer.safeParse(body).data ?? null;
}
