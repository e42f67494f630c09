/** Random traces for the comparison of the engine with the reference: few names and values, so that much of it matches something. */
import { SPAN_KINDS, STATUS_CODES, type AttributeValue, type Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { attributes, bool, buildSpan, double, int, spanIdOf, text, traceIdOf } from "./store-spans.ts";

export const FROM = 1_700_000_000_000_000_000n;
export const TRACE_COUNT = 60;

const number = fc.oneof(
  fc.integer({ min: -3, max: 9 }).map((value) => int(BigInt(value))),
  fc.constantFrom(double(0.5), double(4), text("x"), text("a"), bool(true)),
);

/** One span of a random trace: what it is, and which other span it names as its parent. */
const spanPlan = fc.record({
  parent: fc.nat({ max: 9 }),
  /** A root, a child of a span that is not there, a child of any other (cycles too), or of an earlier one. */
  place: fc.constantFrom("root", "orphan", "any", "earlier", "earlier", "earlier", "earlier"),
  name: fc.constantFrom("a", "b", "c"),
  service: fc.constantFrom("shop", "cart"),
  status: fc.constantFrom(...STATUS_CODES),
  kind: fc.constantFrom(...SPAN_KINDS),
  size: fc.option(number),
  startMs: fc.nat({ max: 50 }),
  durationMs: fc.nat({ max: 9 }),
  isCopied: fc.constantFrom(false, false, false, true),
  /** To be compared with size: of the span, of its resource, of an event, of a link. */
  limit: fc.option(number),
  hostLimit: fc.option(number, { freq: 2 }),
  event: fc.option(
    fc.record({ name: fc.constantFrom("a", "b", "retry"), atMs: fc.integer({ min: -2, max: 12 }), limit: fc.option(number) }),
  ),
  link: fc.option(fc.record({ to: fc.nat({ max: 9 }), limit: fc.option(number) }), { freq: 2 }),
  /** Of an attribute whose texts are stored apart, under its new name or its old one. */
  method: fc.option(
    fc.tuple(
      fc.constantFrom("http.request.method", "http.method"),
      fc.oneof(fc.constantFrom("GET", "PUT", "a", "").map(text), number),
    ),
  ),
  flags: fc.record({ cached: fc.option(fc.boolean()), wanted: fc.option(fc.boolean()) }),
});

function some(key: string, value: AttributeValue | null): Readonly<Record<string, AttributeValue>> {
  return value === null ? {} : { [key]: value };
}

function buildEvent(
  { name, atMs, limit }: { readonly name: string; readonly atMs: number; readonly limit: AttributeValue | null },
  startNano: bigint,
): Span["events"][number] {
  const timeNano = unixNano(startNano + BigInt(atMs) * 1_000_000n);
  return { timeNano, name, attributes: attributes(some("limit", limit)), droppedAttributesCount: 0 };
}

function buildLink(traceId: Span["traceId"], spanId: Span["spanId"], limit: AttributeValue | null): Span["links"][number] {
  return { traceId, spanId, traceState: "", flags: 0, attributes: attributes(some("limit", limit)), droppedAttributesCount: 0 };
}

/** Half of TRACE_COUNT traces, the same for the same seed; `from` numbers the first. */
export function buildTraces(seed: number, from: number): Span[] {
  const plans = fc.sample(fc.array(spanPlan, { minLength: 1, maxLength: 9 }), { seed, numRuns: TRACE_COUNT / 2 });
  return plans.flatMap((plan, number) =>
    plan.flatMap((given, at) => {
      const trace = from + number;
      const idOf = (number: number): Span["spanId"] => spanIdOf(trace * 100 + number + 1);
      const parents: Readonly<Record<typeof given.place, Span["spanId"] | null>> = {
        root: null,
        orphan: idOf(90 + (given.parent % 2)),
        any: idOf(given.parent % plan.length),
        earlier: at === 0 ? null : idOf(given.parent % at),
      };
      const start = FROM + BigInt(trace * 20 + given.startMs) * 1_000_000n;
      const span = buildSpan({
        traceId: traceIdOf(trace + 1),
        spanId: idOf(at),
        parentSpanId: parents[given.place],
        name: given.name,
        service: given.service,
        kind: given.kind,
        status: { code: given.status, message: "" },
        startNano: unixNano(start),
        durationNano: BigInt(given.durationMs) * 1_000_000n,
        attributes: attributes({
          ...some("size", given.size),
          ...some("limit", given.limit),
          ...(given.method === null ? {} : { [given.method[0]]: given.method[1] }),
          ...some("cached", given.flags.cached === null ? null : bool(given.flags.cached)),
          ...some("wanted", given.flags.wanted === null ? null : bool(given.flags.wanted)),
        }),
        resourceAttributes: some("limit", given.hostLimit),
        events: given.event === null ? [] : [buildEvent(given.event, start)],
        links:
          given.link === null
            ? []
            : [buildLink(traceIdOf(trace + 1 + (given.link.to % 2)), idOf(given.link.to), given.link.limit)],
      });
      return given.isCopied ? [span, span] : [span];
    }),
  );
}
