/**
 * OTLP over gRPC, by hand on node:http2 without TLS: half the cost of a general gRPC server for the one unary call that matters.
 * TraceService/Export is taken, metrics and logs are accepted and dropped, grpc.health.v1 Check is answered.
 */
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { encodeExportResponse } from "@callchain/schemas/otlp/response.ts";
import type { Address } from "@callchain/schemas/runtime/config.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { listen, urlOf } from "@callchain/schemas/runtime/listen.ts";
import { Failure, InvalidError } from "@callchain/schemas/span/errors.ts";
import type { Lease } from "./budget.ts";
import { checkHealth } from "./grpc-health.ts";
import { GrpcSessions } from "./grpc-sessions.ts";
import {
  GRPC_CONTENT_TYPE,
  GRPC_ENCODINGS,
  MessageReader,
  encodeMessage,
  parseTimeout,
  statusTrailers,
  type GrpcStatus,
} from "./grpc-wire.ts";
import type { Intake } from "./intake.ts";
import { RPC, rpcNameOf } from "./status.ts";

interface OtlpGrpcOptions {
  readonly address: Address;
  /** The setting that chooses the address. */
  readonly flag: string;
  readonly intake: Intake;
  /** A call that has not come whole after this is cut off. */
  readonly slowMs: number;
}

type Method = { readonly kind: "export" | "health" } | { readonly kind: "drop"; readonly what: string };

const TRACE_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService";
const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  [`/${TRACE_SERVICE}/Export`, { kind: "export" }],
  ["/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", { kind: "drop", what: "metrics" }],
  ["/opentelemetry.proto.collector.logs.v1.LogsService/Export", { kind: "drop", what: "logs" }],
  ["/grpc.health.v1.Health/Check", { kind: "health" }],
]);

const STREAMS_MAX = 128;
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;
const HEADER_LIST_BYTES_MAX = 16 * 1024;
/** Resets a sender may do at once, and a second: beyond that the session ends (the "rapid reset" flood). */
const RESET_BURST = 500;
const RESET_PER_SECOND = 50;
const CONNECTIONS_MAX = 4_096;

const RESPONSE_HEADERS: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": GRPC_CONTENT_TYPE,
  "grpc-accept-encoding": [...GRPC_ENCODINGS.keys()].join(","),
};
const OK_TRAILERS: OutgoingHttpHeaders = { "grpc-status": "0" };
const ACCEPTED = encodeMessage(encodeExportResponse(null, "protobuf"));

export async function startOtlpGrpc(options: OtlpGrpcOptions): Promise<Running & { readonly url: string }> {
  const server: Http2Server = createServer({
    settings: {
      enablePush: false,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxConcurrentStreams: STREAMS_MAX,
      maxHeaderListSize: HEADER_LIST_BYTES_MAX,
    },
    maxHeaderListPairs: 64,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: RESET_BURST,
    streamResetRate: RESET_PER_SECOND,
  });
  server.maxConnections = CONNECTIONS_MAX;
  const sessions = new GrpcSessions(server, options.slowMs, (reason) =>
    options.intake.refuseAs("grpc", "PROTOCOL_ERROR", reason),
  );
  const receiver = new OtlpGrpc(options.intake, sessions);
  server.on("stream", (stream, headers) => receiver.handle(stream, headers));
  const bound = await listen(server, options.address, options.flag);
  return { url: urlOf(bound), stop: () => sessions.stop() };
}

class OtlpGrpc {
  readonly #intake: Intake;
  readonly #sessions: GrpcSessions;

  constructor(intake: Intake, sessions: GrpcSessions) {
    this.#intake = intake;
    this.#sessions = sessions;
  }

  handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // A sender that goes away, or breaks the protocol, ends its stream; there is nobody to tell.
    stream.on("error", () => undefined);
    const misdirected = this.#misdirectionOf(headers);
    if (misdirected !== null) {
      this.#intake.refuseAs("grpc", String(misdirected.status), misdirected.message);
      stream.respond({ ":status": misdirected.status, "content-type": "text/plain; charset=utf-8", ...misdirected.headers });
      stream.end(`${misdirected.message}\n`);
      stopSending(stream);
      return;
    }
    const path = String(headers[":path"]);
    const method = METHODS.get(path);
    if (method === undefined) {
      const message = `no such method here: ${path.slice(0, 200)}; this port takes /${TRACE_SERVICE}/Export`;
      this.#intake.refuseAs("grpc", rpcNameOf(RPC.unimplemented), message);
      respondStatus(stream, { code: RPC.unimplemented, message });
      return;
    }
    void this.#call(stream, headers, method);
  }

  #misdirectionOf(headers: IncomingHttpHeaders): { status: number; message: string; headers?: OutgoingHttpHeaders } | null {
    if (headers[":method"] !== "POST") {
      return {
        status: 405,
        message: "gRPC calls are POST requests; OTLP/HTTP has a port of its own",
        headers: { allow: "POST" },
      };
    }
    const type = headers["content-type"] ?? "";
    if (type === "application/grpc" || type === "application/grpc+proto" || type.startsWith("application/grpc;")) return null;
    const message = `content-type: given ${JSON.stringify(type.slice(0, 200))}, accepted are application/grpc and application/grpc+proto`;
    return { status: 415, message };
  }

  async #call(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, method: Method): Promise<void> {
    const lease = this.#intake.budget.openLease();
    let deadline: NodeJS.Timeout | undefined;
    try {
      const timeoutMs = parseTimeout(headers);
      if (timeoutMs !== null) {
        deadline = setTimeout(() => {
          this.#refuse(stream, new Failure("timeout", `the call's time of ${timeoutMs} ms is over`));
        }, timeoutMs);
      }
      const answer = await this.#answer(stream, headers, method, lease);
      if (answer !== null) respondMessage(stream, answer);
    } catch (error) {
      this.#refuse(stream, error);
    } finally {
      clearTimeout(deadline);
      lease.release();
    }
  }

  /** The message to answer with, null where the sender has gone. */
  async #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, method: Method, lease: Lease): Promise<Buffer | null> {
    if (method.kind === "drop") {
      this.#intake.warnOnce(`${method.what} were sent over OTLP/gRPC; only traces are kept, they are accepted and dropped`);
      await this.#sessions.discard(stream);
      return ACCEPTED;
    }
    const reader = new MessageReader(this.#intake.limits.requestMaxBytes, lease);
    if (!(await this.#sessions.read(stream, reader))) return null;
    const { bytes, isCompressed } = reader.finish();
    const coding = isCompressed ? this.#codingOf(headers) : null;
    if (method.kind === "health") {
      if (coding !== null) throw new InvalidError("a health check is not sent compressed");
      return encodeMessage(checkHealth(bytes, [TRACE_SERVICE], !this.#sessions.isStopping));
    }
    const rejected = await this.#intake.receive({ bytes, coding, encoding: "protobuf" }, "grpc", lease);
    return rejected === null ? ACCEPTED : encodeMessage(encodeExportResponse(rejected, "protobuf"));
  }

  #codingOf(headers: IncomingHttpHeaders): "gzip" | "deflate" {
    const name = headers["grpc-encoding"] ?? "identity";
    const coding = GRPC_ENCODINGS.get(String(name));
    if (coding === "gzip" || coding === "deflate") return coding;
    if (coding === null) throw new InvalidError("the message says it is compressed, but grpc-encoding does not say how");
    throw new UnknownEncoding(
      `grpc-encoding: given ${JSON.stringify(name)}, accepted are ${[...GRPC_ENCODINGS.keys()].join(", ")}`,
    );
  }

  #refuse(stream: ServerHttp2Stream, error: unknown): void {
    if (stream.headersSent || stream.destroyed) return;
    if (error instanceof UnknownEncoding) {
      this.#intake.refuseAs("grpc", rpcNameOf(RPC.unimplemented), error.message);
      respondStatus(stream, { code: RPC.unimplemented, message: error.message });
      return;
    }
    const refusal = this.#intake.refuse(error, "grpc", ({ rpcCode }) => rpcNameOf(rpcCode));
    const { rpcCode: code, message, retryAfterMs } = refusal;
    respondStatus(stream, { code, message, retryAfterMs });
  }
}

/** gRPC answers UNIMPLEMENTED, not INVALID_ARGUMENT, to a compression it does not know (grpc/grpc doc/compression.md). */
class UnknownEncoding extends Error {}

function respondMessage(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.headersSent || stream.destroyed) return;
  stream.once("wantTrailers", () => stream.sendTrailers(OK_TRAILERS));
  stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
  stream.end(message);
}

function respondStatus(stream: ServerHttp2Stream, status: GrpcStatus): void {
  respondOnly(stream, { ...RESPONSE_HEADERS, ...statusTrailers(status) });
}

/** Headers and the end at once. */
function respondOnly(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (stream.headersSent || stream.destroyed) return;
  stream.respond(headers, { endStream: true });
  stopSending(stream);
}

/** A sender that is answered and still sending is told to stop (RFC 9113, 8.1). */
function stopSending(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  stream.resume();
  stream.close(constants.NGHTTP2_NO_ERROR);
}
