/** A day of the corpus into a system through its own receiver, and what can be asked of it afterwards. */
import { encodeTraces } from "@callchain/schemas/otlp/export.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { buildSpan, spanIdOf, traceIdOf } from "../../support/store-spans.ts";
import { corpusRequests, corpusServiceName, SERVICE_COUNT } from "../corpus.ts";
import { ExportRequest } from "../otlp-schema.ts";
import { encodeZipkin } from "../zipkin-json.ts";
import type { StartedSystem, TracingSystem } from "./system.ts";

export const HOUR_NANO = 3_600_000_000_000n;
export const DAY_NANO = 24n * HOUR_NANO;
const SPANS_PER_REQUEST = 500;
const SENDERS = 8;
const LARGE_BATCH = 5000;
export const LARGE_TRACES = [1000, 100_000] as const;
const SEEN_EVERY = 37;

/** A trace that was sent, by one of its spans. */
export interface SeenSpan {
  readonly traceId: string;
  readonly service: string;
  readonly user: string;
  readonly startNano: bigint;
}

/** Sends `spanCount` spans, evenly over the 24 h from `fromNano`, and the large traces in the middle. Resolves when all are acknowledged. */
export async function fillDay(
  system: TracingSystem,
  started: StartedSystem,
  { spanCount, fromNano }: { readonly spanCount: number; readonly fromNano: bigint },
): Promise<SeenSpan[]> {
  const requests = dayRequests(Math.ceil(spanCount / SPANS_PER_REQUEST), fromNano);
  const seen: SeenSpan[] = [];
  let index = 0;
  const sender = async (): Promise<void> => {
    for (;;) {
      const next = requests.next();
      if (next.done === true) return;
      if (index % SEEN_EVERY === 0) seen.push(...seenOf(next.value));
      index += 1;
      await send(system, started, next.value);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  return seen;
}

function* dayRequests(requestCount: number, fromNano: bigint): Generator<Uint8Array> {
  yield* corpusRequests({ requestCount, spansPerRequest: SPANS_PER_REQUEST, startNano: fromNano, rangeNano: DAY_NANO });
  for (const count of LARGE_TRACES) {
    for (let from = 0; from < count; from += LARGE_BATCH) {
      const spans = Array.from({ length: Math.min(LARGE_BATCH, count - from) }, (_, at) =>
        buildSpan({
          traceId: traceIdOf(count),
          spanId: spanIdOf(from + at + 1),
          parentSpanId: from + at === 0 ? null : spanIdOf(Math.floor((from + at - 1) / 3) + 1),
          name: `step ${(from + at) % 300}`,
          service: corpusServiceName((from + at) % SERVICE_COUNT),
          startNano: unixNano(fromNano + DAY_NANO / 2n + BigInt(from + at) * 1000n),
        }),
      );
      yield encodeTraces(spans);
    }
  }
}

async function send(system: TracingSystem, started: StartedSystem, request: Uint8Array): Promise<void> {
  const isZipkin = system.format === "zipkin";
  const body = isZipkin ? encodeZipkin(request) : Buffer.from(request);
  const headers = { "content-type": isZipkin ? "application/json" : "application/x-protobuf" };
  for (;;) {
    const response = await fetch(`${started.httpUrl}${isZipkin ? "/api/v2/spans" : "/v1/traces"}`, {
      method: "POST",
      headers,
      body,
    });
    const text = await response.text();
    if (response.ok) return;
    if (response.status !== 429 && response.status !== 503)
      throw new Error(`${system.name}: ${response.status} ${text.slice(0, 200)}`);
    await sleep(100);
  }
}

const Attribute = z.object({ key: z.string(), value: z.object({ stringValue: z.string().optional() }) });
const Seen = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(Attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({ traceId: z.base64(), startTimeUnixNano: z.string(), attributes: z.array(Attribute).default([]) }),
          ),
        }),
      ),
    }),
  ),
});

/** The first span with a user of each of the request's services. */
function seenOf(request: Uint8Array): SeenSpan[] {
  const decoded = ExportRequest.toObject(ExportRequest.decode(Buffer.from(request)), { longs: String, bytes: String });
  const textOf = (attributes: readonly z.infer<typeof Attribute>[], key: string): string =>
    attributes.find((one) => one.key === key)?.value.stringValue ?? "";
  return Seen.parse(decoded).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const spans = scopeSpans.flatMap((scope) => scope.spans);
    const span = spans.find(({ attributes }) => textOf(attributes, "user.id") !== "");
    if (span === undefined) return [];
    return {
      traceId: Buffer.from(span.traceId, "base64").toString("hex"),
      service: textOf(resource.attributes, "service.name"),
      user: textOf(span.attributes, "user.id"),
      startNano: BigInt(span.startTimeUnixNano),
    };
  });
}
