/** Spans of a shop of many services, for the map: four below each, calls across, one hub that half of them call, and a database for some. */
import type { Attribute, Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { buildSpan, spanIdOf, text, traceIdOf } from "./store-spans.ts";

const NAMESPACE_COUNT = 12;
const FAN_OUT = 4;
const MILLI = 1_000_000n;
const HUB = "config";

/** One trace for each service: the way to it from the first, then what it calls. Ids begin at `traceFrom`. */
export function* buildServiceSpans(serviceCount: number, startNano: bigint, traceFrom = 1): Generator<Span> {
  for (let index = 0; index < serviceCount; index += 1) yield* buildTrace(index, serviceCount, startNano, traceFrom + index);
}

const nameOf = (index: number): string => `team${index % NAMESPACE_COUNT}-svc${index}`;

function* buildTrace(index: number, serviceCount: number, startNano: bigint, trace: number): Generator<Span> {
  let spanCount = 0;
  let depth = 0;
  const span = (
    service: string,
    kind: Span["kind"],
    parentSpanId: Span["parentSpanId"],
    attributes: readonly Attribute[] = [],
  ): Span => {
    spanCount += 1;
    depth += 1;
    const number = /\d+$/.exec(service)?.[0] ?? "0";
    return buildSpan({
      traceId: traceIdOf(trace),
      spanId: spanIdOf(trace * 1000 + spanCount),
      parentSpanId,
      name: `call ${service}`,
      kind,
      service,
      attributes: [...attributes],
      startNano: unixNano(startNano + BigInt(trace) * MILLI + BigInt(depth) * 1000n),
      durationNano: MILLI * BigInt(1 + (trace % 50)) - BigInt(depth) * 2000n,
      status: trace % 17 === 0 && kind === "server" ? { code: "error", message: "failed" } : { code: "unset", message: "" },
      resourceAttributes: { "service.namespace": text(`team${Number(number) % NAMESPACE_COUNT}`) },
    });
  };
  const path: number[] = [];
  for (let at = index; at > 0; at = Math.floor((at - 1) / FAN_OUT)) path.unshift(at);
  let last = span(nameOf(0), "server", null);
  yield last;
  const call = function* (from: Span, to: string): Generator<Span> {
    const client = span(from.service, "client", from.spanId);
    yield client;
    last = span(to, "server", client.spanId);
    yield last;
  };
  for (const at of path) yield* call(last, nameOf(at));
  const here = last;
  if (index % 2 === 0) yield* call(here, HUB);
  else yield* call(here, nameOf((index * 17 + 5) % serviceCount));
  if (index % 3 === 0) yield* call(here, nameOf((index * 31) % serviceCount));
  if (index % 15 === 0) {
    yield span(here.service, "client", here.spanId, [
      { key: "db.system.name", value: text("postgresql") },
      { key: "db.namespace", value: text(`db${index}`) },
    ]);
  }
}
