import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, type ClientHttp2Session, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { after, beforeEach, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { Client, Metadata, compressionAlgorithms, credentials, type ServiceError } from "@grpc/grpc-js";
import { encodeExportResponse, encodeStatus } from "@callchain/schemas/otlp/response.ts";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { encodeMessage } from "./grpc-wire.ts";
import { startReceivers } from "./receivers.ts";

const ANY = { host: "127.0.0.1", port: 0 };
const REQUEST_MAX = 256 * 1024;
const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const appended: Buffer[] = [];
let onAppend: () => Promise<void> = async () => {};
const metrics = openMetrics();
const receivers = await startReceivers({
  httpAddress: ANY,
  grpcAddress: ANY,
  log: {
    append: async (request) => {
      await onAppend();
      appended.push(Buffer.from(request));
    },
  },
  limits: { requestMaxBytes: REQUEST_MAX, inFlightMaxBytes: 8 * 1024 * 1024 },
  metrics,
  logger: openLog("test", "silent"),
});
const { host } = new URL(receivers.grpcUrl);
const client = new Client(host, credentials.createInsecure());
const gzipClient = new Client(host, credentials.createInsecure(), {
  "grpc.default_compression_algorithm": compressionAlgorithms.gzip,
});
after(async () => {
  client.close();
  gzipClient.close();
  await receivers.stop();
});
beforeEach(() => {
  appended.length = 0;
  onAppend = async () => {};
});

const span = (traceId: string, name = "charge"): object => ({
  traceId,
  spanId: "00f067aa0ba902b7",
  name,
  startTimeUnixNano: "1",
  endTimeUnixNano: 2,
});
const GOOD_ID = "0af7651916cd43dd8448eb211c80319c";
const encode = (...spans: object[]): Buffer =>
  Buffer.from(encodeRequestFromJson(Buffer.from(JSON.stringify({ resourceSpans: [{ resource: {}, scopeSpans: [{ spans }] }] }))));
const GOOD = encode(span(GOOD_ID));

const same = (value: Buffer): Buffer => value;

/** One call of the oracle, @grpc/grpc-js: the answer's bytes, or its error. */
function call(path: string, body: Buffer, options: { deadline?: number; by?: Client } = {}): Promise<Buffer | ServiceError> {
  return new Promise((resolve) => {
    const { deadline, by = client } = options;
    by.makeUnaryRequest(path, same, same, body, new Metadata(), deadline === undefined ? {} : { deadline }, (error, value) => {
      resolve(error ?? value ?? Buffer.alloc(0));
    });
  });
}

async function refused(path: string, body: Buffer, options: { deadline?: number } = {}): Promise<ServiceError> {
  const answer = await call(path, body, options);
  assert.ok(!Buffer.isBuffer(answer), "the call was accepted");
  return answer;
}

test("an export is acknowledged with an empty message and reaches the log byte for byte", async () => {
  assert.deepEqual(await call(EXPORT, GOOD), Buffer.alloc(0));
  assert.deepEqual(appended, [GOOD]);
});

test("an export that comes in many frames is taken whole", async () => {
  const large = encode(span(GOOD_ID, "x".repeat(200_000)));
  assert.deepEqual(await call(EXPORT, large), Buffer.alloc(0));
  assert.deepEqual(appended, [large]);
});

test("a gzip message is taken", async () => {
  assert.deepEqual(await call(EXPORT, GOOD, { by: gzipClient }), Buffer.alloc(0));
  assert.deepEqual(appended, [GOOD]);
});

test("an empty request is a success and nothing is appended", async () => {
  assert.deepEqual(await call(EXPORT, Buffer.alloc(0)), Buffer.alloc(0));
  assert.deepEqual(appended, []);
});

test("good spans are kept beside bad ones, which are counted in partial_success", async () => {
  const answer = await call(EXPORT, encode(span(GOOD_ID), span("00")));
  const message = "resourceSpans[0].scopeSpans[0].spans[1].traceId: expected 16 bytes, given 1";
  assert.deepEqual(answer, Buffer.from(encodeExportResponse({ count: 1, message }, "protobuf")));
  assert.deepEqual(appended, [GOOD]);
});

test("malformed protobuf is INVALID_ARGUMENT with the details of google.rpc.Status", async () => {
  const error = await refused(EXPORT, GOOD.subarray(0, GOOD.length - 3));
  assert.equal(error.code, 3);
  assert.match(error.details, /malformed protobuf/);
  const details = error.metadata.get("grpc-status-details-bin")[0];
  assert.deepEqual(details, Buffer.from(encodeStatus({ code: 3, message: error.details }, "protobuf")));
});

test("a message over the limit is RESOURCE_EXHAUSTED without a retry hint", async () => {
  const error = await refused(EXPORT, Buffer.alloc(REQUEST_MAX + 1));
  assert.equal(error.code, 8);
  assert.match(error.details, /limit of 262144/);
  assert.doesNotMatch(String(error.metadata.get("grpc-status-details-bin")[0]), /RetryInfo/);
});

for (const [code, rpcCode] of [
  ["overloaded", 8],
  ["unavailable", 14],
] as const) {
  test(`a log that is ${code} is told as code ${rpcCode} with RetryInfo`, async () => {
    onAppend = async () => {
      throw new Failure(code, "the log says nö", { retryAfterMs: 1_500 });
    };
    const error = await refused(EXPORT, GOOD);
    assert.equal(error.code, rpcCode);
    assert.equal(error.details, "the log says nö");
    const details = error.metadata.get("grpc-status-details-bin")[0];
    assert.deepEqual(
      details,
      Buffer.from(encodeStatus({ code: rpcCode, message: error.details, retryDelayMs: 1_500 }, "protobuf")),
    );
  });
}

test("unknown methods are UNIMPLEMENTED and say what is here", async () => {
  for (const path of ["/opentelemetry.proto.collector.trace.v1.TraceService/Import", "/grpc.health.v1.Health/Watch", "/x"]) {
    const error = await refused(path, Buffer.alloc(0));
    assert.equal(error.code, 12);
    assert.match(error.details, /TraceService\/Export/);
  }
});

test("the health of the server and of the trace service is SERVING; another service is NOT_FOUND", async () => {
  const check = (service: string): Buffer => Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
  assert.deepEqual(await call("/grpc.health.v1.Health/Check", Buffer.alloc(0)), Buffer.from([0x08, 1]));
  const traces = check("opentelemetry.proto.collector.trace.v1.TraceService");
  assert.deepEqual(await call("/grpc.health.v1.Health/Check", traces), Buffer.from([0x08, 1]));
  assert.equal((await refused("/grpc.health.v1.Health/Check", check("shop"))).code, 5);
  assert.equal((await refused("/grpc.health.v1.Health/Check", Buffer.from("no"))).code, 3);
});

test("metrics and logs are accepted and dropped", async () => {
  for (const [service, version] of [
    ["metrics", "MetricsService"],
    ["logs", "LogsService"],
  ]) {
    const answer = await call(`/opentelemetry.proto.collector.${service}.v1.${version}/Export`, Buffer.alloc(100));
    assert.deepEqual(answer, Buffer.alloc(0));
  }
  assert.deepEqual(appended, []);
});

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
}

/** One call by hand, for what the oracle never sends. */
async function byHand(headers: OutgoingHttpHeaders, ...chunks: readonly Uint8Array[]): Promise<Answer> {
  const session: ClientHttp2Session = connectHttp2(receivers.grpcUrl);
  const stream = session.request({
    ":method": "POST",
    ":path": EXPORT,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let answered: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on("response", (given) => (answered = given));
  stream.on("trailers", (given) => (trailers = given));
  stream.on("error", () => undefined);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  stream.resume();
  await once(stream, "close");
  session.destroy();
  return { headers: answered, trailers: { ...answered, ...trailers } };
}

const compressed = (message: Buffer): Buffer => {
  const frame = encodeMessage(message);
  frame.writeUInt8(1, 0);
  return frame;
};

const cases: readonly [string, OutgoingHttpHeaders, readonly Uint8Array[], string, RegExp][] = [
  ["a deflate message is taken", { "grpc-encoding": "deflate" }, [compressed(deflateSync(GOOD))], "0", /^$/],
  ["a prefix in single bytes is taken", {}, [...encodeMessage(GOOD)].map((byte) => Uint8Array.of(byte)), "0", /^$/],
  ["an unknown encoding is UNIMPLEMENTED", { "grpc-encoding": "snappy" }, [compressed(GOOD)], "12", /"snappy", accepted are/],
  ["a compressed message without an encoding is refused", {}, [compressed(gzipSync(GOOD))], "3", /does not say how/],
  ["a message that is not gzip is refused", { "grpc-encoding": "gzip" }, [compressed(GOOD)], "3", /not valid gzip/],
  ["two messages are refused", {}, [encodeMessage(GOOD), encodeMessage(GOOD)], "3", /one message/],
  ["a message cut short is refused", {}, [encodeMessage(GOOD).subarray(0, 20)], "3", /ended after 20 of/],
  ["a call without a message is refused", {}, [], "3", /ended after 0/],
  ["a malformed timeout is refused", { "grpc-timeout": "soon" }, [encodeMessage(GOOD)], "3", /"soon"/],
];
for (const [title, headers, chunks, status, says] of cases) {
  test(title, async () => {
    const { trailers } = await byHand(headers, ...chunks);
    assert.equal(trailers["grpc-status"], status);
    assert.match(String(trailers["grpc-message"] ?? ""), says);
    assert.equal(appended.length, status === "0" ? 1 : 0);
  });
}

test("what is not a gRPC call is told so in HTTP's own words", async () => {
  assert.equal((await byHand({ "content-type": "application/json" })).headers[":status"], 415);
  const get = await byHand({ ":method": "GET" });
  assert.equal(get.headers[":status"], 405);
});

test("a call whose time is over is DEADLINE_EXCEEDED", async () => {
  const { promise: never, resolve } = Promise.withResolvers<void>();
  onAppend = () => never;
  const { trailers } = await byHand({ "grpc-timeout": "20m" }, encodeMessage(GOOD));
  resolve();
  assert.equal(trailers["grpc-status"], "4");
});

test("HTTP/1.1 on the gRPC port is reported with what this port is", async () => {
  const { hostname, port } = new URL(receivers.grpcUrl);
  const socket = connect(Number(port), hostname);
  socket.write("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  assert.match(receivers.report().lastRejection?.reason ?? "", /not HTTP\/2; OTLP\/HTTP has a port of its own/);
});

test("a flood of reset calls ends its session and others go on", async () => {
  const session = connectHttp2(receivers.grpcUrl);
  session.on("error", () => undefined);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  session.on("close", close);
  const flood = setInterval(() => {
    for (let index = 0; index < 50 && !session.destroyed && !session.closed; index += 1) {
      const stream = session.request({ ":method": "POST", ":path": EXPORT, "content-type": "application/grpc" });
      stream.on("error", () => undefined);
      stream.close();
    }
  }, 1);
  await closed;
  clearInterval(flood);
  assert.deepEqual(await call(EXPORT, GOOD), Buffer.alloc(0));
});

test("after all this nothing stays in flight", async () => {
  assert.match(await metrics.metrics(), /callchain_receive_in_flight_bytes 0\n/);
});
