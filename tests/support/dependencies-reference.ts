/** The service graph by the plainest means: what query-api/store/dependencies must agree with, span by span in memory. */
import { DurationHistogram } from "@callchain/query-api/store/duration-histogram.ts";
import { durationBucketOf } from "@callchain/schemas/clickhouse/duration-buckets.ts";
import type { SpanSeed } from "./span-rows.ts";

const MINUTE_MS = 60_000;

interface Call {
  readonly kind: string;
  readonly caller: string;
  readonly callee: string;
  readonly durationNano: bigint;
  readonly isError: boolean;
}

export interface ReferenceEdge {
  readonly caller: string;
  readonly callee: string;
  readonly callCount: number;
  readonly errorCount: number;
  readonly percentilesNano: readonly (number | null)[];
}

const keyOf = (trace: string, id: string | undefined): string => `${trace} ${id ?? ""}`;
const durationOf = (span: SpanSeed): bigint => span.durationNano ?? 1_000_000n;
const startMsOf = (span: SpanSeed): number => Number(span.startNano / 1_000_000n);
const durationMsOf = (span: SpanSeed): number => Number(durationOf(span) / 1_000_000n);
const textOf = (span: SpanSeed, key: string): string => span.text?.[key] ?? "";
const topicOf = (span: SpanSeed): string => textOf(span, "messaging.destination.name");

export function buildReferenceEdges(seeds: readonly SpanSeed[], from: bigint, to: bigint): ReferenceEdge[] {
  const spans = new Map(seeds.map((span) => [keyOf(span.trace, span.id), span]));
  const inRange = [...spans.values()].filter(({ startNano }) => startNano >= from && startNano < to);
  /** One minute of skew; no further than an hour from its parent. */
  const isChild = (parent: SpanSeed, child: SpanSeed): boolean => {
    const sinceMs = startMsOf(child) - startMsOf(parent);
    return sinceMs >= -MINUTE_MS && sinceMs <= Math.min(durationMsOf(parent), 59 * MINUTE_MS) + MINUTE_MS;
  };
  const parentOf = (span: SpanSeed): SpanSeed | undefined => {
    const parent = span.parent === undefined ? undefined : spans.get(keyOf(span.trace, span.parent));
    return parent !== undefined && isChild(parent, span) ? parent : undefined;
  };
  const calls: Call[] = [];
  const add = (kind: string, caller: string, callee: string, span: SpanSeed, isError = span.isError === true): void => {
    calls.push({ kind, caller, callee, durationNano: durationOf(span), isError });
  };
  const services = new Set(inRange.map((span) => span.service));

  for (const span of inRange) {
    const parent = parentOf(span);
    if (parent === undefined || parent.service === span.service) continue;
    const ends = [`service:${parent.service}`, `service:${span.service}`] as const;
    if (span.kind === "consumer") {
      if (topicOf(span) !== "" || parent.kind === "producer") continue;
      add("consume", ...ends, span);
    } else {
      add("call", ...ends, span, span.isError === true || (parent.kind === "client" && parent.isError === true));
    }
    services.add(parent.service);
  }

  const isAnswered = (client: SpanSeed): boolean =>
    [...spans.values()].some((child) => {
      if (child.trace !== client.trace || child.parent !== client.id || child.kind === "consumer") return false;
      return isChild(client, child) && (child.kind === "server" || child.service !== client.service);
    });
  for (const span of inRange) {
    const service = `service:${span.service}`;
    const topic = topicOf(span);
    if (span.kind === "producer" && topic !== "") add("publish", service, `messaging:${topic}`, span);
    if (span.kind === "consumer" && topic !== "") add("consume", `messaging:${topic}`, service, span);
  }

  for (const span of inRange) {
    const isConsumer = span.kind === "consumer";
    if ((isConsumer && topicOf(span) !== "") || span.kind === "client" || span.kind === "producer") continue;
    const above = [
      ...(isConsumer && span.parent !== undefined ? [keyOf(span.trace, span.parent)] : []),
      ...(span.links ?? []).map((link) => keyOf(link.trace, link.id)),
    ].flatMap((key) => spans.get(key) ?? []);
    const callers = new Set<string>();
    for (const sender of above) {
      const waitedMs = startMsOf(span) - startMsOf(sender);
      if (sender.kind !== "producer" || waitedMs < -MINUTE_MS || waitedMs > 60 * MINUTE_MS) continue;
      const topic = topicOf(sender);
      if (topic !== "") callers.add(`messaging:${topic}`);
      else if (sender.service !== span.service) {
        callers.add(`service:${sender.service}`);
        services.add(sender.service);
      }
    }
    for (const caller of callers) add("consume", caller, `service:${span.service}`, span);
  }

  for (const span of inRange) {
    if (span.kind !== "client" || isAnswered(span)) continue;
    const service = `service:${span.service}`;
    const peer = textOf(span, "peer.service");
    const host = textOf(span, "server.address");
    if (textOf(span, "db.system") !== "") add("database", service, `database:${textOf(span, "db.name")}`, span);
    else if (peer !== "" && peer !== span.service) {
      if (services.has(peer)) add("call", service, `service:${peer}`, span);
      else add("external", service, `external:${peer}`, span);
    } else if (peer === "" && host !== "") add("external", service, `external:${host}`, span);
  }
  return buildEdges(calls);
}

/** One edge per pair of nodes. */
function buildEdges(calls: readonly Call[]): ReferenceEdge[] {
  return [...Map.groupBy(calls, (call) => JSON.stringify([call.caller, call.callee])).values()].flatMap((pair) => {
    const [first] = pair;
    if (first === undefined) return [];
    const durations = new DurationHistogram();
    durations.bound(0, Infinity);
    for (const call of pair) durations.add([durationBucketOf(call.durationNano)], [1]);
    return {
      caller: first.caller,
      callee: first.callee,
      callCount: pair.length,
      errorCount: pair.filter((call) => call.isError).length,
      percentilesNano: durations.percentiles([50, 95, 99]),
    };
  });
}
