/**
 * A load generator in a process of its own: `node load.ts '{"url":..., "protocol":"http"|"grpc"|"zipkin", "spansPerRequest":512,
 * "seconds":60, "connections":8, "gzip":false, "spansPerSecond":0}'`. Prints one JSON object with what was acknowledged. 429 and 503 are
 * waited out. "zipkin" sends the same spans as Zipkin v2 JSON.
 */
import { writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { buildCorpus } from "./corpus.ts";
import { Replay, type RequestStream } from "./replay.ts";
import { ZipkinReplay } from "./zipkin-replay.ts";

const Options = z.object({
  url: z.string(),
  protocol: z.enum(["http", "grpc", "zipkin"]),
  spansPerRequest: z.int(),
  seconds: z.number(),
  connections: z.int(),
  gzip: z.boolean().default(false),
  /** 0: as fast as it goes. */
  spansPerSecond: z.number().default(0),
  /** Two loads with different seeds send different traces. */
  seed: z.int().default(1),
  /** When the first trace starts. Default: now. */
  startMs: z.number().optional(),
  /** The other side may end in between (it is killed): what it had acknowledged until then is the result, not an error. */
  endsWithReceiver: z.boolean().default(false),
  /** Where the result is written; by default it is printed. A long list of acknowledgements is too much for a pipe. */
  resultPath: z.string().optional(),
});
export type LoadOptions = z.input<typeof Options>;

export interface LoadResult {
  /** Sequence numbers of the acknowledged requests in the order of their acknowledgement; see sent-traces.ts. */
  readonly acks: readonly number[];
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly acceptedSpans: number;
  readonly requests: number;
  readonly refusals: number;
  readonly seconds: number;
  readonly sentBytes: number;
  /** Milliseconds from sending to acknowledgement. */
  readonly ackMs: { readonly p50: number; readonly p95: number; readonly p99: number };
}

interface HttpTarget {
  readonly path: string;
  readonly type: string;
}
const OTLP_TARGET: HttpTarget = { path: "/v1/traces", type: "application/x-protobuf" };
const ZIPKIN_TARGET: HttpTarget = { path: "/api/v2/spans", type: "application/json" };

type Send = (body: Uint8Array) => Promise<"accepted" | "refused">;
const CORPUS_SPANS = 40_960;
/** Of spans that are sent as fast as it goes: about the arrival rate of a busy system. */
const FAST_SPANS_PER_SECOND = 102_400;

/**
 * HTTP/1.1 on bare sockets, one request at a time on each: Node's own client takes 200 us a request, and the sender must not be what is
 * measured.
 */
function httpSender(url: string, isGzip: boolean, connections: number, { path, type }: HttpTarget): Send {
  const { hostname, port } = new URL(url);
  const coding = isGzip ? "content-encoding: gzip\r\n" : "";
  const head = `POST ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: ${type}\r\n${coding}content-length: `;
  const idle = Array.from({ length: connections }, () => openSocket(hostname, Number(port)));
  return async (body) => {
    let connection = idle.pop();
    if (connection === undefined) throw new Error("more requests at once than connections");
    // A receiver closes what was idle for some seconds.
    if (connection.socket.destroyed) connection = openSocket(hostname, Number(port));
    connection.socket.cork();
    connection.socket.write(`${head}${body.length}\r\n\r\n`);
    connection.socket.write(body);
    connection.socket.uncork();
    const status = await connection.answer();
    idle.push(connection);
    if (status === 200 || status === 202) return "accepted";
    if (status === 503 || status === 429) return "refused";
    throw new Error(`status ${status}`);
  };
}

interface Connection {
  readonly socket: Socket;
  /** The status of the next answer, once it is there whole. */
  answer(): Promise<number>;
}

function openSocket(host: string, port: number): Connection {
  const socket = connectSocket({ host, port, noDelay: true });
  const closed = new Error("the receiver closed the connection");
  let waiting: PromiseWithResolvers<number> | null = null;
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const headEnd = text.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (text.length < headEnd + 4 + length) return;
    const status = Number(text.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
    text = "";
    waiting?.resolve(status);
  });
  socket.on("error", (error) => waiting?.reject(error));
  socket.on("close", () => waiting?.reject(closed));
  return {
    socket,
    answer: () => {
      // Nothing more would come of a connection that was closed while it was idle.
      if (socket.destroyed) return Promise.reject(closed);
      waiting = Promise.withResolvers<number>();
      return waiting.promise;
    },
  };
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

/** The corpus' spans are laid over the time that it takes to send them, a round after the other. */
function corpusNanoOf({ spansPerSecond = 0 }: Pick<LoadOptions, "spansPerSecond">): bigint {
  return BigInt(Math.round((CORPUS_SPANS * 1e9) / (spansPerSecond === 0 ? FAST_SPANS_PER_SECOND : spansPerSecond)));
}

/** What a load with these options sends in its first round. */
export function buildLoadCorpus(
  options: Pick<LoadOptions, "spansPerRequest" | "spansPerSecond" | "seed" | "startMs">,
): Uint8Array[] {
  return buildCorpus({
    requestCount: Math.ceil(CORPUS_SPANS / options.spansPerRequest),
    spansPerRequest: options.spansPerRequest,
    seed: options.seed ?? 1,
    startNano: BigInt(Math.floor(options.startMs ?? Date.now())) * 1_000_000n,
    rangeNano: corpusNanoOf(options),
  });
}

function openSender({ protocol, url, gzip, connections }: z.output<typeof Options>): Send {
  if (protocol === "grpc") return grpcSender(url, gzip, connections);
  return httpSender(url, gzip, connections, protocol === "zipkin" ? ZIPKIN_TARGET : OTLP_TARGET);
}

async function run(options: z.output<typeof Options>): Promise<LoadResult> {
  const corpus = buildLoadCorpus(options);
  const replay: RequestStream = new (options.protocol === "zipkin" ? ZipkinReplay : Replay)(corpus, corpusNanoOf(options));
  const send = openSender(options);
  const ackMs: number[] = [];
  const acks: number[] = [];
  let sequence = 0;
  let acceptedSpans = 0;
  let requests = 0;
  let refusals = 0;
  let sentBytes = 0;
  const startedAtMs = Date.now();
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
      const own = sequence;
      sequence += 1;
      const body = options.gzip ? gzipSync(plain, { level: 1 }) : plain;
      sentBytes += body.length;
      const sentMs = performance.now();
      for (;;) {
        if ((await send(body)) === "accepted") break;
        refusals += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      ackMs.push(performance.now() - sentMs);
      acks.push(own);
      acceptedSpans += options.spansPerRequest;
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: options.connections }, worker));
  for (const ended of workers) if (ended.status === "rejected" && !options.endsWithReceiver) throw ended.reason;
  ackMs.sort((a, b) => a - b);
  const at = (share: number): number => Math.round((ackMs[Math.floor(share * (ackMs.length - 1))] ?? 0) * 10) / 10;
  return {
    acks,
    startedAtMs,
    acceptedSpans,
    requests,
    refusals,
    seconds: (performance.now() - startMs) / 1000,
    sentBytes,
    ackMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
  };
}

if (import.meta.main) {
  const options = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
  const result = JSON.stringify(await run(options));
  if (options.resultPath === undefined) process.stdout.write(`${result}\n`);
  else writeFileSync(options.resultPath, result);
  process.exit(0);
}
