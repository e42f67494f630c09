import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, beforeEach, test } from "node:test";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { startReceivers } from "./receivers.ts";

const ANY = { host: "127.0.0.1", port: 0 };
const REQUEST_MAX = 64 * 1024;
const PROTOBUF = { "content-type": "application/x-protobuf" };
const JSON_TYPE = { "content-type": "application/json" };

/** The log's side: keeps what it was given, and fails where a test says so. */
const appended: Buffer[] = [];
let fault: Error | null = null;
const metrics = openMetrics();
const receivers = await startReceivers({
  httpAddress: ANY,
  grpcAddress: ANY,
  log: {
    append: async (request) => {
      if (fault !== null) throw fault;
      appended.push(Buffer.from(request));
    },
  },
  limits: { requestMaxBytes: REQUEST_MAX, inFlightMaxBytes: 8 * 1024 * 1024 },
  corsOrigins: ["https://shop.example"],
  metrics,
  logger: openLog("test", "silent"),
});
after(() => receivers.stop());
beforeEach(() => {
  appended.length = 0;
  fault = null;
});

const span = (traceId: string): object => ({
  traceId,
  spanId: "00f067aa0ba902b7",
  name: "charge",
  startTimeUnixNano: "1",
  endTimeUnixNano: 2,
});
const GOOD_ID = "0af7651916cd43dd8448eb211c80319c";
const json = (...spans: object[]): string => JSON.stringify({ resourceSpans: [{ resource: {}, scopeSpans: [{ spans }] }] });
const GOOD_JSON = json(span(GOOD_ID));
const GOOD = Buffer.from(encodeRequestFromJson(Buffer.from(GOOD_JSON)));

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

async function send({ method = "POST", path = "/v1/traces", headers = PROTOBUF, body = GOOD }: Sent) {
  const init = {
    method,
    headers,
    ...(method === "GET" || method === "OPTIONS" ? {} : { body: typeof body === "string" ? body : Buffer.from(body) }),
  };
  const response = await fetch(receivers.httpUrl + path, init);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes, text: bytes.toString("utf8") };
}

test("protobuf is acknowledged with an empty message and reaches the log byte for byte", async () => {
  const { status, headers, bytes } = await send({});
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "application/x-protobuf");
  assert.equal(bytes.length, 0);
  assert.deepEqual(appended, [GOOD]);
});

test("JSON is acknowledged with an empty object and reaches the log as protobuf", async () => {
  const { status, headers, text } = await send({
    headers: { "content-type": "application/json; charset=utf-8" },
    body: GOOD_JSON,
  });
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "application/json");
  assert.equal(text, "{}");
  assert.deepEqual(appended, [GOOD]);
});

for (const [coding, compress] of [
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["deflate", deflateSync],
  ["zstd", zstdCompressSync],
  ["identity", (body: Buffer) => body],
] as const) {
  test(`a body in ${coding} is taken`, async () => {
    const { status } = await send({ headers: { ...PROTOBUF, "content-encoding": coding }, body: compress(GOOD) });
    assert.equal(status, 200);
    assert.deepEqual(appended, [GOOD]);
  });
}

test("a gzip body of several members is taken whole", async () => {
  const body = Buffer.concat([gzipSync(GOOD.subarray(0, 10)), gzipSync(GOOD.subarray(10))]);
  const { status } = await send({ headers: { ...PROTOBUF, "content-encoding": "gzip" }, body });
  assert.equal(status, 200);
  assert.deepEqual(appended, [GOOD]);
});

test("an empty request is a success and nothing is appended", async () => {
  assert.equal((await send({ body: Buffer.alloc(0) })).status, 200);
  assert.equal((await send({ headers: JSON_TYPE, body: "{}" })).status, 200);
  assert.deepEqual(appended, []);
});

test("good spans are kept beside bad ones, which are counted in partialSuccess", async () => {
  const { status, text } = await send({ headers: JSON_TYPE, body: json(span(GOOD_ID), span("00"), span("ff")) });
  assert.equal(status, 200);
  const answer = JSON.parse(text);
  assert.equal(answer.partialSuccess.rejectedSpans, "2");
  assert.match(answer.partialSuccess.errorMessage, /spans\[1\]\.traceId/);
  assert.deepEqual(appended, [GOOD]);
  const { lastRejection } = receivers.report();
  assert.equal(lastRejection?.status, "partial_success");
});

const refusals: readonly (Sent & {
  readonly title: string;
  readonly status: number;
  readonly code: number;
  readonly says: RegExp;
})[] = [
  { title: "an unknown route", path: "/v1/spans", status: 404, code: 5, says: /\/v1\/spans.*POST \/v1\/traces/ },
  { title: "the root", path: "/", method: "GET", headers: {}, status: 404, code: 5, says: /POST \/v1\/traces/ },
  { title: "a wrong method", method: "GET", status: 405, code: 12, says: /GET is not accepted.*use POST/ },
  {
    title: "a wrong content type",
    headers: { "content-type": "text/plain" },
    status: 415,
    code: 3,
    says: /"text\/plain", accepted are application\/x-protobuf/,
  },
  {
    title: "an unknown content encoding",
    headers: { ...JSON_TYPE, "content-encoding": "br" },
    status: 415,
    code: 12,
    says: /"br", accepted are gzip/,
  },
  { title: "malformed JSON", headers: JSON_TYPE, body: "{", status: 400, code: 3, says: /not valid JSON/ },
  { title: "JSON of another shape", headers: JSON_TYPE, body: "[1]", status: 400, code: 3, says: /expected/ },
  {
    title: "JSON with ids that are no hex",
    headers: JSON_TYPE,
    body: json(span("xyz")),
    status: 400,
    code: 3,
    says: /traceId.*"xyz"/,
  },
  {
    title: "a body that is not gzip",
    headers: { ...JSON_TYPE, "content-encoding": "gzip" },
    body: "{}",
    status: 400,
    code: 3,
    says: /not valid gzip/,
  },
  {
    title: "a body over the limit",
    headers: JSON_TYPE,
    body: Buffer.alloc(REQUEST_MAX + 1),
    status: 413,
    code: 8,
    says: /limit of 65536/,
  },
  {
    title: "a gzip body over the limit",
    headers: { ...JSON_TYPE, "content-encoding": "gzip" },
    body: gzipSync(Buffer.alloc(REQUEST_MAX + 1)),
    status: 413,
    code: 8,
    says: /limit of 65536/,
  },
  {
    title: "a zstd body over the limit",
    headers: { ...JSON_TYPE, "content-encoding": "zstd" },
    body: zstdCompressSync(Buffer.alloc(REQUEST_MAX + 1)),
    status: 413,
    code: 8,
    says: /limit of 65536/,
  },
];
for (const { title, status, code, says, ...sent } of refusals) {
  test(`${title} is refused with ${status} and a status that names the fault`, async () => {
    const before = receivers.report().refusedRequestCount;
    const answer = await send(sent);
    assert.equal(answer.status, status);
    if (answer.headers.get("content-type") === "application/json") {
      const body = JSON.parse(answer.text);
      assert.equal(body.code, code);
      assert.match(body.message, says);
    } else {
      assert.equal(answer.bytes.readUInt8(1), code);
      assert.match(answer.text, says);
    }
    const report = receivers.report();
    assert.equal(report.refusedRequestCount, before + 1);
    assert.equal(report.lastRejection?.status, String(status));
    assert.match(report.lastRejection?.reason ?? "", says);
    assert.deepEqual(appended, []);
  });
}

test("malformed protobuf is refused with a protobuf status", async () => {
  const { status, headers, bytes, text } = await send({ body: GOOD.subarray(0, GOOD.length - 3) });
  assert.equal(status, 400);
  assert.equal(headers.get("content-type"), "application/x-protobuf");
  // Field 1, varint: INVALID_ARGUMENT.
  assert.deepEqual([...bytes.subarray(0, 2)], [0x08, 3]);
  assert.match(text, /malformed protobuf/);
});

for (const [code, status, rpcCode, retryAfter] of [
  ["overloaded", 429, 8, "2"],
  ["unavailable", 503, 14, "2"],
  ["timeout", 504, 4, "2"],
] as const) {
  test(`a log that is ${code} is told as ${status} with Retry-After and RetryInfo`, async () => {
    fault = new Failure(code, "the log says no", { retryAfterMs: 1_500 });
    const { headers, text, ...answer } = await send({ headers: JSON_TYPE, body: GOOD_JSON });
    assert.equal(answer.status, status);
    assert.equal(headers.get("retry-after"), retryAfter);
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" }];
    assert.deepEqual(JSON.parse(text), { code: rpcCode, message: "the log says no", details });
  });
}

test("a defect is told as 500 without its message", async () => {
  fault = new TypeError("undefined is not a secret");
  const { status, text, headers } = await send({ headers: JSON_TYPE, body: GOOD_JSON });
  assert.equal(status, 500);
  assert.equal(headers.get("retry-after"), null);
  assert.doesNotMatch(text, /secret/);
});

test("metrics and logs are accepted and dropped", async () => {
  for (const path of ["/v1/metrics", "/v1/logs"]) {
    const { status, text } = await send({ path, headers: JSON_TYPE, body: "{}" });
    assert.equal(status, 200);
    assert.equal(text, "{}");
  }
  assert.deepEqual(appended, []);
});

test("a listed origin may send from a browser, another may not", async () => {
  const preflight = { "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
  const allowed = await send({ method: "OPTIONS", headers: { origin: "https://shop.example", ...preflight } });
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://shop.example");
  assert.equal(allowed.headers.get("access-control-allow-headers"), "content-type");
  const other = await send({ method: "OPTIONS", headers: { origin: "https://evil.example", ...preflight } });
  assert.equal(other.status, 403);
  assert.equal(other.headers.get("access-control-allow-origin"), null);
  const sent = await send({ headers: { ...PROTOBUF, origin: "https://shop.example" } });
  assert.equal(sent.headers.get("access-control-allow-origin"), "https://shop.example");
});

async function raw(bytes: string): Promise<string> {
  const { hostname, port } = new URL(receivers.httpUrl);
  const socket = connect(Number(port), hostname);
  socket.write(bytes, "latin1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await once(socket, "close");
  return text;
}

test("gRPC on the HTTP port, and bytes that are no HTTP, are told what this port is", async () => {
  assert.match(await raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), /^HTTP\/1\.1 400 .*OTLP\/gRPC has a port of its own/s);
  assert.match(await raw("\u0016\u0003\u0001 hello\r\n\r\n"), /^HTTP\/1\.1 400 .*not an HTTP\/1\.1 request/s);
});

test("a body sent in pieces without a length is held to the limit", async () => {
  const piece = "4000\r\n".concat("x".repeat(0x4000), "\r\n");
  const head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
  assert.match(await raw(head.concat(piece.repeat(5), "0\r\n\r\n")), /^HTTP\/1\.1 413 /);
});

test("a sender that waits for 100-continue is told to go on, or is refused before it sends", async () => {
  const head = (length: number): string =>
    `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`;
  assert.match(await raw(head(GOOD.length).concat(GOOD.toString("latin1"))), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  assert.match(await raw(head(REQUEST_MAX + 1)), /^HTTP\/1\.1 413 /);
});

test("what was counted is served as metrics, and nothing stays in flight", async () => {
  const text = await metrics.metrics();
  assert.match(text, /callchain_receive_spans_accepted_total [1-9]/);
  assert.match(text, /callchain_receive_in_flight_bytes 0\n/);
});
