import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { buildCorpus } from "./corpus.ts";
import { Replay } from "./replay.ts";
import { readSentTraces, sampleTraces } from "./sent-traces.ts";
import { encodeZipkin } from "./zipkin-json.ts";
import { ZipkinReplay } from "./zipkin-replay.ts";

const RANGE_NANO = 400_000_000n;
const buildSmallCorpus = (): Uint8Array[] => buildCorpus({ requestCount: 4, spansPerRequest: 50, rangeNano: RANGE_NANO });

const ZipkinSpans = z.array(
  z.object({
    traceId: z.string(),
    id: z.string(),
    parentId: z.string().optional(),
    name: z.string(),
    kind: z.string().optional(),
    timestamp: z.number(),
    duration: z.number(),
    localEndpoint: z.object({ serviceName: z.string() }),
    annotations: z.array(z.object({ timestamp: z.number(), value: z.string() })),
    tags: z.record(z.string(), z.string()),
  }),
);
const parseZipkin = (body: Uint8Array): z.infer<typeof ZipkinSpans> =>
  ZipkinSpans.parse(JSON.parse(Buffer.from(body).toString()));

test("Zipkin JSON says of a span what the protobuf says", () => {
  const spans = parseZipkin(encodeZipkin(buildSmallCorpus()[0] ?? new Uint8Array()));
  assert.equal(spans.length, 50);
  const failed = spans.find(({ tags }) => tags["otel.status_code"] === "ERROR");
  assert.equal(failed?.tags["error"], "upstream connect error or disconnect before headers");
  assert.match(failed.annotations[0]?.value ?? "", /^\{"exception":\{"exception.type":"UpstreamError"/);
  for (const span of spans) {
    assert.match(span.traceId, /^[0-9a-f]{32}$/);
    assert.match(span.id, /^[0-9a-f]{16}$/);
    assert.match(span.tags["user.id"] ?? "", /^u-[0-9a-f]{8}$/);
    assert.equal(span.tags["otel.scope.version"], "0.301.0");
    assert.equal(span.tags["service.name"], undefined);
    assert.ok(span.duration >= 1);
  }
  assert.deepEqual(new Set(spans.map(({ kind }) => kind)), new Set(["SERVER", "CLIENT", "PRODUCER", "CONSUMER", undefined]));
});

test("both replays send the same spans in every round, and other ones than the round before", () => {
  const corpus = buildSmallCorpus();
  const otlp = new Replay(corpus, RANGE_NANO);
  const zipkin = new ZipkinReplay(corpus, RANGE_NANO);
  const seen = new Set<string>();
  for (let sequence = 0; sequence < 3 * corpus.length; sequence += 1) {
    const expected = encodeZipkin(otlp.next()).toString();
    const actual = zipkin.next();
    assert.deepEqual(parseZipkin(actual)[7], parseZipkin(Buffer.from(expected))[7]);
    assert.ok(Buffer.from(actual).toString() === expected, `request ${sequence} differs`);
    for (const { id } of parseZipkin(actual)) seen.add(id);
  }
  assert.equal(seen.size, 3 * corpus.length * 50);
});

test("sent traces are those of the acknowledged requests, as they were replayed", () => {
  const corpus = buildSmallCorpus();
  const replay = new ZipkinReplay(corpus, RANGE_NANO);
  const bodies = Array.from({ length: 12 }, () => parseZipkin(replay.next()));
  const acks = [0, 5, 4, 11];
  const expected = new Map<string, number>();
  for (const { traceId } of acks.flatMap((sequence) => bodies[sequence] ?? []))
    expected.set(traceId, (expected.get(traceId) ?? 0) + 1);
  const sent = readSentTraces(corpus)(acks);
  assert.equal(sent.length, expected.size);
  for (const { traceId, spanCount } of sent) assert.equal(spanCount, expected.get(traceId));
  assert.equal(sent[0]?.traceId, bodies[0]?.[0]?.traceId);
});

test("a sample has the last traces and is spread over the others", () => {
  const traces = Array.from({ length: 1000 }, (_, at) => ({ traceId: String(at), spanCount: 1 }));
  const sample = sampleTraces(traces, 30).map(({ traceId }) => Number(traceId));
  assert.equal(new Set(sample).size, 30);
  assert.deepEqual(sample.slice(20), [990, 991, 992, 993, 994, 995, 996, 997, 998, 999]);
  assert.ok(sample.slice(0, 20).every((at, index) => at >= index * 49 && at <= index * 50));
  assert.equal(sampleTraces(traces.slice(0, 5), 30).length, 5);
});
