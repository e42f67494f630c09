/** The service graph by the plainest means: what the SQL of query-api/store/dependencies must agree with, span by span in memory. */
import type { SpanSeed } from "./span-rows.ts";

const MINUTE = 60_000_000_000n;
const SKEW = 5n * MINUTE;
const LOOKBACK = 60n * MINUTE;

interface Call {
  /** Which question found it: percentiles are not mixed between questions. */
  readonly source: "calls" | "peers" | "received";
  readonly kind: string;
  readonly caller: string;
  readonly callee: string;
  readonly durationNano: bigint;
  readonly isError: boolean;
}

export interface ReferenceEdge {
  readonly caller: string;
  readonly callee: string;
  readonly kind: string;
  readonly callCount: number;
  readonly errorCount: number;
  readonly percentilesNano: readonly number[];
}

const keyOf = (trace: string, id: string | undefined): string => `${trace} ${id ?? ""}`;
const durationOf = (span: SpanSeed): bigint => span.durationNano ?? 1_000_000n;
const textOf = (span: SpanSeed, key: string): string => span.text?.[key] ?? "";
export function buildReferenceEdges(seeds: readonly SpanSeed[], from: bigint, to: bigint): ReferenceEdge[] {
  const spans = new Map(seeds.map((span) => [keyOf(span.trace, span.id), span]));
  const startsIn = (span: SpanSeed, first: bigint, end: bigint): boolean => span.startNano >= first && span.startNano < end;
  const inRange = [...spans.values()].filter((span) => startsIn(span, from, to));
  const nearRange = [...spans.values()].filter((span) => startsIn(span, from - SKEW, to + SKEW));
  const parentOf = (span: SpanSeed): SpanSeed | undefined => {
    const parent = span.parent === undefined ? undefined : spans.get(keyOf(span.trace, span.parent));
    if (parent === undefined || !startsIn(parent, from - LOOKBACK, to + SKEW)) return undefined;
    const reaches = parent.startNano + durationOf(parent) >= from - SKEW;
    return reaches || parent.kind === "producer" ? parent : undefined;
  };
  const calls: Call[] = [];
  const services = new Set(inRange.map((span) => span.service));

  for (const span of inRange) {
    if (span.kind === "consumer") continue;
    const parent = parentOf(span);
    if (parent === undefined || parent.service === span.service) continue;
    services.add(parent.service);
    const isError = span.isError === true || (parent.kind === "client" && parent.isError === true);
    const ends = { caller: `service:${parent.service}`, callee: `service:${span.service}` };
    calls.push({ source: "calls", kind: "call", ...ends, durationNano: durationOf(span), isError });
  }

  const isAnswered = (client: SpanSeed): boolean =>
    nearRange.some((child) => {
      if (child.trace !== client.trace || child.parent !== client.id || child.kind === "consumer") return false;
      return child.kind === "server" || (child.service !== client.service && startsIn(child, from, to));
    });
  for (const span of inRange) {
    const service = `service:${span.service}`;
    const topic = textOf(span, "messaging.destination.name");
    const add = (kind: string, caller: string, callee: string): void => {
      calls.push({ source: "peers", kind, caller, callee, durationNano: durationOf(span), isError: span.isError === true });
    };
    if (span.kind === "producer" && topic !== "") add("publish", service, `messaging:${topic}`);
    if (span.kind === "consumer" && topic !== "") add("consume", `messaging:${topic}`, service);
    if (span.kind !== "client" || isAnswered(span)) continue;
    const peer = textOf(span, "peer.service");
    if (textOf(span, "db.system") !== "") add("database", service, `database:${textOf(span, "db.name")}`);
    else if (peer !== "" && peer !== span.service) {
      if (services.has(peer)) add("call", service, `service:${peer}`);
      else add("external", service, `external:${peer}`);
    } else if (peer === "" && textOf(span, "server.address") !== "")
      add("external", service, `external:${textOf(span, "server.address")}`);
  }

  for (const span of inRange) {
    const isConsumer = span.kind === "consumer";
    if (isConsumer && textOf(span, "messaging.destination.name") !== "") continue;
    if (!isConsumer && span.kind !== "server" && span.kind !== "internal") continue;
    const above = [
      ...(isConsumer && span.parent !== undefined ? [keyOf(span.trace, span.parent)] : []),
      ...(span.links ?? []).map((link) => keyOf(link.trace, link.id)),
    ].flatMap((key) => spans.get(key) ?? []);
    const callers = new Map<string, string>();
    for (const sender of above) {
      if (!startsIn(sender, from - LOOKBACK, to + SKEW)) continue;
      const topic = textOf(sender, "messaging.destination.name");
      if (sender.kind === "producer" && topic !== "") callers.set(`messaging:${topic}`, "consume");
      else if (sender.service !== span.service && (sender.kind === "producer" || isConsumer))
        callers.set(`service:${sender.service}`, "consume");
    }
    for (const [caller, kind] of callers) {
      const durationNano = durationOf(span);
      calls.push({
        source: "received",
        kind,
        caller,
        callee: `service:${span.service}`,
        durationNano,
        isError: span.isError === true,
      });
    }
  }
  return buildEdges(calls);
}

/** One edge per pair of nodes; its kind and percentiles are those of the question that found most of its calls. */
function buildEdges(calls: readonly Call[]): ReferenceEdge[] {
  const pairs = Map.groupBy(calls, (call) => JSON.stringify([call.caller, call.callee]));
  return [...pairs.values()].flatMap((pair) => {
    const largest = [...Map.groupBy(pair, (call) => call.source).values()].reduce((a, b) => (b.length > a.length ? b : a));
    const [first] = largest;
    if (first === undefined) return [];
    const durations = largest.map((call) => call.durationNano).toSorted((a, b) => Number(a - b));
    return {
      caller: first.caller,
      callee: first.callee,
      kind: first.kind,
      callCount: pair.length,
      errorCount: pair.filter((call) => call.isError).length,
      percentilesNano: [0.5, 0.95, 0.99].map((level) => Number(durations[Math.floor(level * durations.length)] ?? 0n)),
    };
  });
}
