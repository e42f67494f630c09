import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { Shop } from "./demo.ts";

const START_MS = Date.UTC(2026, 0, 1);
const spans = new Shop(7).traces(Array.from({ length: 400 }, (_, index) => START_MS + index * 100));
const only = (name: string) => spans.filter(({ span }) => span.name === name);

test("the shop has about a dozen services and serializes as OTLP", () => {
  const services = new Set(spans.map(({ instance }) => instance.service));
  assert.equal(services.size, 13);
  const request = ProtobufTraceSerializer.serializeRequest(spans.map(({ span }) => span));
  assert.ok(request !== undefined && request.length > 100_000);
});

test("the same seed gives the same spans", () => {
  const again = new Shop(7).traces(Array.from({ length: 400 }, (_, index) => START_MS + index * 100));
  assert.deepEqual(
    again.map(({ span }) => [span.spanContext().spanId, span.startTime]),
    spans.map(({ span }) => [span.spanContext().spanId, span.startTime]),
  );
});

test("every planted fault occurs", () => {
  const ids = new Set(spans.map(({ span }) => span.spanContext().spanId));
  const orphans = spans.filter(({ span }) => span.parentSpanContext !== undefined && !ids.has(span.parentSpanContext.spanId));
  assert.ok(orphans.length > 0, "spans whose parent was never sent");
  assert.ok(
    spans.some(({ span }) => span.events.some(({ name }) => name === "retry")),
    "a retry storm",
  );
  assert.ok(
    spans.some(({ span }) => span.events.some(({ attributes }) => String(attributes?.["exception.stacktrace"]).includes("\n"))),
    "a stack trace",
  );
  assert.ok(
    only("UPDATE stock").some(({ span }) => span.duration[0] >= 1),
    "a slow database",
  );
  assert.ok(
    spans.some(({ span }) => span.links.length === 5),
    "a consumer linked to the producers of its batch",
  );
  const repeats = Map.groupBy(only("SELECT orders"), ({ span }) => span.parentSpanContext?.spanId);
  assert.ok(
    [...repeats.values()].some((group) => group.length > 14),
    "an N+1",
  );
});

test("a skewed host's server spans end after their callers do", () => {
  const byId = new Map(spans.map(({ span }) => [span.spanContext().spanId, span]));
  const outside = only("GET /similar/{id}").filter(({ span }) => {
    const parent = byId.get(span.parentSpanContext?.spanId ?? "");
    const end = (time: readonly [number, number]) => time[0] * 1e3 + time[1] / 1e6;
    return span.kind === SpanKind.SERVER && parent !== undefined && end(span.endTime) > end(parent.endTime);
  });
  assert.ok(outside.length > 0);
});
