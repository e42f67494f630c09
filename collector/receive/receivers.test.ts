import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import { encodeMessage } from "./grpc-wire.ts";
import { startReceivers, type Receivers, type ReceiversOptions } from "./receivers.ts";

const ANY = { host: "127.0.0.1", port: 0 };
const GOOD = Buffer.from(
  encodeRequestFromJson(
    Buffer.from(
      JSON.stringify({
        resourceSpans: [
          { scopeSpans: [{ spans: [{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "00f067aa0ba902b7" }] }] },
        ],
      }),
    ),
  ),
);

function start(options: Partial<ReceiversOptions> = {}): Promise<Receivers> {
  return startReceivers({
    httpAddress: ANY,
    grpcAddress: ANY,
    log: { append: async () => {} },
    limits: { requestMaxBytes: 1024 * 1024, inFlightMaxBytes: 8 * 1024 * 1024 },
    metrics: openMetrics(),
    logger: openLog("test", "silent"),
    ...options,
  });
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

test("a taken port names its flag, and the other port is given up again", async () => {
  const first = await start();
  await assert.rejects(start({ httpAddress: addressOf(first.httpUrl) }), /using this port.*--otlp-http-address/);
  await assert.rejects(start({ grpcAddress: addressOf(first.grpcUrl) }), /using this port.*--otlp-grpc-address/);
  await first.stop();
  const again = await start({ httpAddress: addressOf(first.httpUrl), grpcAddress: addressOf(first.grpcUrl) });
  await again.stop();
});

test("a stop lets requests in flight finish on both transports, and takes no new ones", async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const { promise: durable, resolve: sync } = Promise.withResolvers<void>();
  let waiting = 0;
  const receivers = await start({
    log: {
      append: async () => {
        waiting += 1;
        if (waiting === 2) arrive();
        await durable;
      },
    },
  });
  const agent = new Agent({ keepAlive: true });
  const headers = { "content-type": "application/x-protobuf", "content-length": GOOD.length };
  const httpAnswer = new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest(`${receivers.httpUrl}/v1/traces`, { method: "POST", agent, headers }, resolve);
    request.on("error", reject);
    request.end(GOOD);
  });
  const session = connectHttp2(receivers.grpcUrl);
  const stream = session.request({
    ":method": "POST",
    ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "content-type": "application/grpc",
  });
  stream.end(encodeMessage(GOOD));
  stream.resume();
  const trailers = once(stream, "trailers");
  await arrived;
  const stopped = receivers.stop();
  sync();
  const answer = await httpAnswer;
  answer.resume();
  assert.equal(answer.statusCode, 200);
  const [given] = (await trailers) as [Record<string, unknown>];
  assert.equal(given["grpc-status"], "0");
  await stopped;
  assert.equal(receivers.report().acceptedSpanCount, 2);
  agent.destroy();
  await assert.rejects(fetch(`${receivers.httpUrl}/v1/traces`, { method: "POST" }));
});

test("a stop does not wait for idle connections", async () => {
  const receivers = await start();
  const http = connect(addressOf(receivers.httpUrl));
  const session = connectHttp2(receivers.grpcUrl);
  session.on("error", () => undefined);
  await Promise.all([once(http, "connect"), once(session, "connect")]);
  await receivers.stop();
  http.destroy();
  session.destroy();
});

test("senders that never finish are cut off on both transports", { timeout: 30_000 }, async () => {
  const receivers = await start({ slowMs: 200 });
  const slowBody = connect(addressOf(receivers.httpUrl));
  slowBody.write("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nx");
  const slowHead = connect(addressOf(receivers.httpUrl));
  slowHead.write("POST /v1/traces HTTP/1.1\r\nhost:");
  const silent = connect(addressOf(receivers.grpcUrl));
  const session = connectHttp2(receivers.grpcUrl);
  session.on("error", () => undefined);
  const stream = session.request({
    ":method": "POST",
    ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "content-type": "application/grpc",
  });
  stream.on("error", () => undefined);
  stream.write(Uint8Array.of(0, 0, 0));
  for (const socket of [slowBody, slowHead, silent]) {
    socket.on("error", () => undefined);
    socket.resume();
  }
  const closed = (emitter: NodeJS.EventEmitter): Promise<void> => new Promise((resolve) => emitter.once("close", resolve));
  await Promise.all([closed(slowBody), closed(slowHead), closed(silent), closed(stream)]);
  session.destroy();
  await receivers.stop();
});
