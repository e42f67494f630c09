/** Random spans that call, answer, link to and send to each other, for the service graph. */
import type { DependencyGraph } from "@callchain/schemas/api/catalog.ts";
import * as fc from "fast-check";
import type { ReferenceEdge } from "./dependencies-reference.ts";
import type { SpanSeed } from "./span-rows.ts";

const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
const HOUR = 60n * MINUTE;

const text = fc.constantFrom<Record<string, string>>(
  {},
  {},
  { "messaging.destination.name": "orders" },
  { "messaging.destination.name": "bills \\ \"'/ü" },
  { "db.system": "mysql", "db.name": "main" },
  { "server.address": "x.example" },
  { "peer.service": "a" },
  { "peer.service": "elsewhere" },
);

export const edgeSeed = fc.record({
  trace: fc.constantFrom("t1", "t2", "t3"),
  parent: fc.option(fc.nat({ max: 30 }), { nil: undefined }),
  service: fc.constantFrom("a", "b", "c'\"", "d"),
  kind: fc.constantFrom("internal", "server", "client", "producer", "consumer" as const),
  startSeconds: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 599 }) },
    { weight: 1, arbitrary: fc.integer({ min: -4000, max: 1200 }) },
  ),
  durationSeconds: fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 5000 })),
  isError: fc.boolean(),
  flags: fc.constantFrom(0, 0, 0x100, 0x300),
  text,
  link: fc.option(fc.record({ trace: fc.constantFrom("t1", "t2", "t3"), id: fc.nat({ max: 30 }) }), { nil: undefined, freq: 3 }),
  isTwice: fc.boolean(),
});
export type EdgeSeed = (typeof edgeSeed)["generate"] extends (...given: never[]) => { value: infer T } ? T : never;

/** In the order drawn; a span that was sent twice follows itself. Ids are places in the list; the traces of another time are others. */
export function buildSpans(drawn: readonly EdgeSeed[], t: bigint): SpanSeed[] {
  const traceOf = (trace: string): string => `${trace} ${t / SECOND}`;
  return drawn.flatMap(({ startSeconds, durationSeconds, link, parent, isTwice, trace, ...rest }, index): SpanSeed[] => {
    const span: SpanSeed = {
      ...rest,
      trace: traceOf(trace),
      id: String(index),
      ...(parent === undefined ? {} : { parent: String(parent) }),
      startNano: t + BigInt(startSeconds) * SECOND,
      durationNano: BigInt(durationSeconds) * SECOND + BigInt(index),
      links: link === undefined ? [] : [{ trace: traceOf(link.trace), id: String(link.id) }],
    };
    return isTwice ? [span, span] : [span];
  });
}

/** What the reference says too. */
export function comparableEdges(graph: DependencyGraph): ReferenceEdge[] {
  return sortEdges(
    graph.edges.map(({ caller, callee, callCount, errorCount, p50Nano, p95Nano, p99Nano }) => ({
      caller,
      callee,
      callCount,
      errorCount,
      percentilesNano: [p50Nano, p95Nano, p99Nano],
    })),
  );
}

export function sortEdges(edges: readonly ReferenceEdge[]): ReferenceEdge[] {
  return edges.toSorted((a, b) => (`${a.caller} ${a.callee}` < `${b.caller} ${b.callee}` ? -1 : 1));
}

/** Three spans each, as far from each other as they may be. */
export const FAR_RELATIVES: readonly ((t: bigint, trace: string) => readonly SpanSeed[])[] = [
  // A short client that is answered at both ends of what its clock and the callees' allow.
  (t, trace) => [
    { trace, id: "1", service: "a", kind: "client", startNano: t, durationNano: 55n * SECOND, text: { "peer.service": "far" } },
    { trace, id: "2", parent: "1", service: "b", kind: "server", startNano: t - MINUTE },
    { trace, id: "3", parent: "1", service: "c", kind: "server", startNano: t + 55n * SECOND + MINUTE },
  ],
  // A long one.
  (t, trace) => [
    {
      trace,
      id: "1",
      service: "a",
      kind: "client",
      startNano: t,
      durationNano: 59n * MINUTE,
      text: { "server.address": "x.example" },
    },
    { trace, id: "2", parent: "1", service: "b", kind: "server", startNano: t + 1n },
    { trace, id: "3", parent: "1", service: "c", kind: "internal", startNano: t + HOUR },
  ],
  // Two producers of one topic, an hour before.
  (t, trace) => [
    { trace, id: "1", service: "a", kind: "producer", startNano: t - HOUR, text: { "messaging.destination.name": "q" } },
    {
      trace: `${trace}+`,
      id: "2",
      service: "b",
      kind: "producer",
      startNano: t + MINUTE,
      text: { "messaging.destination.name": "q" },
    },
    {
      trace: `${trace}-`,
      id: "3",
      service: "c",
      kind: "internal",
      startNano: t,
      links: [
        { trace, id: "1" },
        { trace: `${trace}+`, id: "2" },
      ],
    },
  ],
  // A consumer that does not say of what, long after its producer, and another one.
  (t, trace) => [
    { trace, id: "1", service: "a", kind: "producer", startNano: t, text: { "messaging.destination.name": "q" } },
    { trace, id: "2", parent: "1", service: "b", kind: "consumer", startNano: t + HOUR },
    {
      trace: `${trace}+`,
      id: "3",
      parent: "1",
      service: "c",
      kind: "consumer",
      startNano: t + 30n * MINUTE,
      links: [{ trace, id: "1" }],
    },
  ],
  // Sent again, and answered by a handover and by a call.
  (t, trace) => [
    { trace, id: "1", service: "a", kind: "client", startNano: t, text: { "db.system": "mysql", "db.name": "main" } },
    { trace, id: "1", service: "a", kind: "client", startNano: t, text: { "db.system": "mysql", "db.name": "main" } },
    { trace, id: "2", parent: "1", service: "b", kind: "consumer", startNano: t + 50n * SECOND },
  ],
];
