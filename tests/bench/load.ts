/**
 * A load generator in a process of its own: `node load.ts '{"url":..., "protocol":"http"|"grpc", "spansPerRequest":512, "seconds":60,
 * "connections":8, "gzip":false, "spansPerSecond":0}'`. Prints one JSON object with what was acknowledged. 429 and 503 are waited out.
 */
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { buildCorpus } from "./corpus.ts";
import { Replay } from "./replay.ts";

const Options = z.object({
  url: z.string(),
  protocol: z.enum(["http", "grpc"]),
  spansPerRequest: z.int(),
  seconds: z.number(),
  connections: z.int(),
  gzip: z.boolean().default(false),
  /** 0: as fast as it goes. */
  spansPerSecond: z.number().default(0),
});
export type LoadOptions = z.input<typeof Options>;

export interface LoadResult {
  readonly acceptedSpans: number;
  readonly requests: number;
  readonly refusals: number;
  readonly seconds: number;
  readonly sentBytes: number;
  /** Milliseconds from sending to acknowledgement. */
  readonly ackMs: { readonly p50: number; readonly p95: number; readonly p99: number };
}

type Send = (body: Uint8Array) => Promise<"accepted" | "refused">;
const CORPUS_SPANS = 40_960;
/** The corpus' spans are laid over this much time, a round after the other: about the arrival rate of a busy system. */
const CORPUS_NANO = 400_000_000n;

function httpSender(url: string, isGzip: boolean, connections: number): Send {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const headers = { "content-type": "application/x-protobuf", ...(isGzip ? { "content-encoding": "gzip" } : {}) };
  return (body) =>
    new Promise((resolve, reject) => {
      const request = httpRequest(`${url}/v1/traces`, {
        method: "POST",
        agent,
        headers: { ...headers, "content-length": body.length },
      });
      request.on("response", (response) => {
        response.resume();
        response.on("end", () => {
          if (response.statusCode === 200) resolve("accepted");
          else if (response.statusCode === 503 || response.statusCode === 429) resolve("refused");
          else reject(new Error(`status ${response.statusCode}`));
        });
      });
      request.on("error", reject);
      request.end(body);
    });
}

function grpcSender(url: string, isGzip: boolean, connections: number): Send {
  const sessions = Array.from({ length: connections }, () => connect(url));
  let next = 0;
  return (body) =>
    new Promise((resolve, reject) => {
      const session = sessions[(next += 1) % sessions.length];
      if (session === undefined) throw new Error("no session");
      const stream = session.request({
        ":method": "POST",
        ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "content-type": "application/grpc",
        te: "trailers",
        ...(isGzip ? { "grpc-encoding": "gzip" } : {}),
      });
      let status: unknown;
      const readStatus = (headers: Record<string, unknown>): void => {
        status = headers["grpc-status"] ?? status;
      };
      stream.on("response", readStatus);
      stream.on("trailers", readStatus);
      stream.on("error", reject);
      stream.resume();
      stream.on("end", () => {
        if (status === "0") resolve("accepted");
        else if (status === "14" || status === "8") resolve("refused");
        else reject(new Error(`grpc-status ${String(status)}`));
      });
      const head = Buffer.alloc(5);
      head[0] = isGzip ? 1 : 0;
      head.writeUInt32BE(body.length, 1);
      stream.write(head);
      stream.end(body);
    });
}

async function run(options: z.output<typeof Options>): Promise<LoadResult> {
  const corpus = buildCorpus({
    requestCount: Math.ceil(CORPUS_SPANS / options.spansPerRequest),
    spansPerRequest: options.spansPerRequest,
    seed: 1,
    startNano: BigInt(Date.now()) * 1_000_000n,
    rangeNano: CORPUS_NANO,
  });
  const replay = new Replay(corpus, CORPUS_NANO);
  const send = (options.protocol === "http" ? httpSender : grpcSender)(options.url, options.gzip, options.connections);
  const ackMs: number[] = [];
  let acceptedSpans = 0;
  let requests = 0;
  let refusals = 0;
  let sentBytes = 0;
  const startMs = performance.now();
  const endMs = startMs + options.seconds * 1000;
  const worker = async (): Promise<void> => {
    while (performance.now() < endMs) {
      if (options.spansPerSecond > 0) {
        const dueMs = startMs + ((requests + 1) * options.spansPerRequest * 1000) / options.spansPerSecond;
        const waitMs = dueMs - performance.now();
        requests += 1;
        if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      } else requests += 1;
      const plain = replay.next();
      const body = options.gzip ? gzipSync(plain, { level: 1 }) : plain;
      sentBytes += body.length;
      const sentMs = performance.now();
      for (;;) {
        if ((await send(body)) === "accepted") break;
        refusals += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      ackMs.push(performance.now() - sentMs);
      acceptedSpans += options.spansPerRequest;
    }
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
  ackMs.sort((a, b) => a - b);
  const at = (share: number): number => Math.round((ackMs[Math.floor(share * (ackMs.length - 1))] ?? 0) * 10) / 10;
  return {
    acceptedSpans,
    requests,
    refusals,
    seconds: (performance.now() - startMs) / 1000,
    sentBytes,
    ackMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
  };
}

if (import.meta.main) {
  const result = await run(Options.parse(JSON.parse(process.argv[2] ?? "{}")));
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}
