/** Sends demo spans as real exporters would: each instance its own requests, so that a trace arrives in pieces and out of order. */
import { gzipSync } from "node:zlib";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import type { DemoSpan } from "./trace-builder.ts";

/** An exporter's batch size by default. */
const BATCH_SPANS = 512;
const TRIES = 8;

/**
 * Posts the spans to `${endpoint}/v1/traces`. Resolves with the number accepted. A full or starting collector (429, 502, 503, 504, no
 * answer) is tried again, waiting longer each time; anything else is a Failure that carries the answer.
 */
export async function sendSpans(endpoint: string, spans: readonly DemoSpan[]): Promise<number> {
  const byInstance = Map.groupBy(spans, ({ instance }) => instance);
  let acceptedCount = 0;
  for (const group of byInstance.values()) {
    for (let at = 0; at < group.length; at += BATCH_SPANS) {
      const batch = group.slice(at, at + BATCH_SPANS).map(({ span }) => span);
      await post(endpoint, batch);
      acceptedCount += batch.length;
    }
  }
  return acceptedCount;
}

async function post(endpoint: string, batch: ReadableSpan[]): Promise<void> {
  const request = ProtobufTraceSerializer.serializeRequest(batch);
  if (request === undefined) throw new Failure("internal", "the OTLP serializer returned no bytes");
  const body = gzipSync(request, { level: 1 });
  for (let attempt = 1; ; attempt += 1) {
    const refusal = await tryOnce(`${endpoint}/v1/traces`, body);
    if (refusal === undefined) return;
    if (attempt === TRIES) throw new Failure("unavailable", `${endpoint}: ${refusal} (tried ${TRIES} times)`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** attempt, 5000)));
  }
}

/** undefined: accepted. A text: why to try again. */
async function tryOnce(url: string, body: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/x-protobuf", "content-encoding": "gzip" },
      body,
    });
  } catch (error) {
    return messageOf(error);
  }
  const answer = new Uint8Array(await response.arrayBuffer());
  if ([429, 502, 503, 504].includes(response.status)) return `status ${response.status}`;
  if (!response.ok)
    throw new Failure("invalid", `${url} answered ${response.status}: ${new TextDecoder().decode(answer).slice(0, 500)}`);
  const rejected = ProtobufTraceSerializer.deserializeResponse(answer).partialSuccess;
  if (rejected !== undefined && (rejected.rejectedSpans ?? 0) > 0) {
    throw new Failure(
      "invalid",
      `${url} rejected ${rejected.rejectedSpans} spans: ${rejected.errorMessage ?? "no reason given"}`,
    );
  }
  return undefined;
}
