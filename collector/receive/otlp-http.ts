/**
 * OTLP over HTTP: `POST /v1/traces` in protobuf or JSON (OpenTelemetry protocol specification, "OTLP/HTTP"). Metrics and logs,
 * which exporters send by default, are accepted and dropped. Every refusal is a google.rpc.Status in the request's encoding.
 */
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { encodeExportResponse, encodeStatus, type OtlpEncoding } from "@callchain/schemas/otlp/response.ts";
import type { Address } from "@callchain/schemas/runtime/config.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { listen, urlOf } from "@callchain/schemas/runtime/listen.ts";
import type { ContentCoding } from "./content-encoding.ts";
import { corsHeaders, preflightHeaders } from "./cors.ts";
import { readBody } from "./http-body.ts";
import type { Intake } from "./intake.ts";
import { RPC, retryAfterSeconds, type Refusal } from "./status.ts";

interface OtlpHttpOptions {
  readonly address: Address;
  /** The setting that chooses the address. */
  readonly flag: string;
  readonly intake: Intake;
  readonly corsOrigins: readonly string[];
  /** A request that has not come whole after this is cut off. */
  readonly slowMs: number;
}

const CONTENT_TYPES: Readonly<Record<OtlpEncoding, string>> = { protobuf: "application/x-protobuf", json: "application/json" };
const CODINGS: ReadonlyMap<string, ContentCoding | null> = new Map([
  ["", null],
  ["identity", null],
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["zstd", "zstd"],
]);
const DROPPED_PATHS: ReadonlyMap<string, string> = new Map([
  ["/v1/metrics", "metrics"],
  ["/v1/logs", "logs"],
  ["/v1development/profiles", "profiles"],
]);

const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const CONNECTIONS_MAX = 8_192;
const LINGER_MS = 2_000;
const STOP_MAX_MS = 10_000;

/** What a request whose path, method or type is wrong is told. */
interface Misdirection {
  readonly httpStatus: number;
  readonly rpcCode: number;
  readonly message: string;
  readonly headers?: OutgoingHttpHeaders;
}

export async function startOtlpHttp(options: OtlpHttpOptions): Promise<Running & { readonly url: string }> {
  const receiver = new OtlpHttp(options);
  const server = createServer({
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, options.slowMs),
    requestTimeout: options.slowMs,
    connectionsCheckingInterval: options.slowMs / 10,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
  });
  server.maxConnections = CONNECTIONS_MAX;
  // Connections without a request yet: Node would wait for them at a stop until their headers are overdue.
  const unused = new Set<Socket>();
  server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.on("request", ({ socket }) => unused.delete(socket));
  server.on("request", (request, response) => void receiver.handle(request, response, false));
  server.on("checkContinue", (request, response) => void receiver.handle(request, response, true));
  server.on("clientError", (error: Error, socket: Socket) => receiver.refuseUnreadable(error, socket));
  const bound = await listen(server, options.address, options.flag);
  return { url: urlOf(bound), stop: () => stopServer(server, receiver, unused) };
}

/** Stops accepting, lets the requests in flight finish, and cuts what is still open after ten seconds. */
async function stopServer(server: Server, receiver: OtlpHttp, unused: ReadonlySet<Socket>): Promise<void> {
  receiver.isStopping = true;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of unused) socket.destroy();
  const cut = setTimeout(() => server.closeAllConnections(), STOP_MAX_MS);
  await closed;
  clearTimeout(cut);
}

class OtlpHttp {
  readonly #intake: Intake;
  readonly #corsOrigins: readonly string[];
  isStopping = false;

  constructor({ intake, corsOrigins }: OtlpHttpOptions) {
    this.#intake = intake;
    this.#corsOrigins = corsOrigins;
  }

  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    // A sender that goes away is no fault of ours; its request is dropped where that is noticed.
    response.on("error", () => undefined);
    if (this.isStopping) response.shouldKeepAlive = false;
    const cors = corsHeaders(request, this.#corsOrigins) ?? {};
    const path = pathOf(request);
    const encoding = encodingOf(request);
    if (request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined) {
      this.#answerPreflight(request, response);
      return;
    }
    const wrong = misdirectionOf(request, path, encoding);
    if (wrong !== null) {
      const status = { code: wrong.rpcCode, message: wrong.message };
      this.#intake.refuseAs("http", String(wrong.httpStatus), wrong.message);
      refuse(
        request,
        response,
        wrong.httpStatus,
        { ...cors, ...wrong.headers },
        encodeStatus(status, encoding ?? "json"),
        encoding,
      );
      return;
    }
    const dropped = DROPPED_PATHS.get(path);
    if (dropped !== undefined) {
      this.#drop(request, response, dropped, encoding ?? "json", cors);
      return;
    }
    await this.#receive(request, response, encoding ?? "json", cors, expectsContinue);
  }

  async #receive(
    request: IncomingMessage,
    response: ServerResponse,
    encoding: OtlpEncoding,
    cors: OutgoingHttpHeaders,
    expectsContinue: boolean,
  ): Promise<void> {
    const lease = this.#intake.budget.openLease();
    try {
      const reading = readBody(request, this.#intake.limits.requestMaxBytes, lease);
      if (expectsContinue && Number(request.headers["content-length"] ?? 0) <= this.#intake.limits.requestMaxBytes) {
        response.writeContinue();
      }
      const bytes = await reading;
      if (bytes === null) return;
      const coding = CODINGS.get(codingOf(request)) ?? null;
      const rejected = await this.#intake.receive({ bytes, coding, encoding }, "http", lease);
      const answer = rejected === null ? ACCEPTED[encoding] : encodeExportResponse(rejected, encoding);
      send(response, 200, cors, answer, encoding);
    } catch (error) {
      const refusal: Refusal = this.#intake.refuse(error, "http", ({ httpStatus }) => String(httpStatus));
      const { httpStatus, rpcCode, message, retryAfterMs } = refusal;
      const headers = retryAfterMs === undefined ? cors : { ...cors, "retry-after": retryAfterSeconds(retryAfterMs) };
      const status = { code: rpcCode, message, retryDelayMs: retryAfterMs };
      refuse(request, response, httpStatus, headers, encodeStatus(status, encoding), encoding);
    } finally {
      lease.release();
    }
  }

  #drop(
    request: IncomingMessage,
    response: ServerResponse,
    what: string,
    encoding: OtlpEncoding,
    cors: OutgoingHttpHeaders,
  ): void {
    this.#intake.warnOnce(`${what} were sent over OTLP/HTTP; only traces are kept, they are accepted and dropped`);
    request.once("end", () => send(response, 200, cors, ACCEPTED[encoding], encoding));
    request.resume();
  }

  #answerPreflight(request: IncomingMessage, response: ServerResponse): void {
    const allowed = corsHeaders(request, this.#corsOrigins);
    if (allowed === null) {
      const message = `the origin ${request.headers.origin ?? "(none)"} may not send spans from a browser; list it in corsOrigins`;
      this.#intake.refuseAs("http", "403", message);
      response.writeHead(403, { "content-type": "text/plain; charset=utf-8" }).end(`${message}\n`);
      return;
    }
    response.writeHead(204, preflightHeaders(request, allowed)).end();
  }

  /** Bytes that are not HTTP/1.1, or not in time: the answer is plain text, since there is no request to take an encoding from. */
  refuseUnreadable(error: Error, socket: Socket): void {
    const code = "code" in error ? String(error.code) : "";
    if (code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const { httpStatus, message } = unreadable(code, error);
    this.#intake.refuseAs("http", String(httpStatus), message);
    const head = `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus] ?? ""}\r\ncontent-type: text/plain; charset=utf-8\r\n`;
    socket.end(`${head}content-length: ${Buffer.byteLength(message) + 1}\r\nconnection: close\r\n\r\n${message}\n`);
  }
}

const ACCEPTED: Readonly<Record<OtlpEncoding, Uint8Array>> = {
  protobuf: encodeExportResponse(null, "protobuf"),
  json: encodeExportResponse(null, "json"),
};

function unreadable(code: string, error: Error): { httpStatus: number; message: string } {
  if (code === "HPE_HEADER_OVERFLOW") return { httpStatus: 431, message: "the request's headers are longer than 16 KiB" };
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return { httpStatus: 408, message: "the request did not come whole in time" };
  if (code === "HPE_PAUSED_H2_UPGRADE" || code === "HPE_INVALID_VERSION") {
    return { httpStatus: 400, message: "this is HTTP/2 on the OTLP/HTTP port; OTLP/gRPC has a port of its own, by default 4317" };
  }
  return { httpStatus: 400, message: `the bytes are not an HTTP/1.1 request: ${error.message}` };
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? "/";
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}

function encodingOf(request: IncomingMessage): OtlpEncoding | null {
  const type = request.headers["content-type"] ?? "";
  if (type === CONTENT_TYPES.protobuf) return "protobuf";
  const end = type.indexOf(";");
  const media = (end === -1 ? type : type.slice(0, end)).trim().toLowerCase();
  if (media === CONTENT_TYPES.protobuf || media === "application/protobuf") return "protobuf";
  return media === CONTENT_TYPES.json ? "json" : null;
}

function codingOf(request: IncomingMessage): string {
  return (request.headers["content-encoding"] ?? "").trim().toLowerCase();
}

function misdirectionOf(request: IncomingMessage, path: string, encoding: OtlpEncoding | null): Misdirection | null {
  if (path !== "/v1/traces" && !DROPPED_PATHS.has(path)) {
    const message = `no such path here: ${path.slice(0, 200)}; OTLP/HTTP takes POST /v1/traces`;
    return { httpStatus: 404, rpcCode: RPC.notFound, message };
  }
  if (request.method !== "POST") {
    const message = `${request.method} is not accepted at ${path}; use POST`;
    return { httpStatus: 405, rpcCode: RPC.unimplemented, message, headers: { allow: "POST" } };
  }
  if (encoding === null) {
    const given = request.headers["content-type"];
    const message = `content-type: given ${given === undefined ? "none" : JSON.stringify(given.slice(0, 200))}, accepted are application/x-protobuf and application/json`;
    return { httpStatus: 415, rpcCode: RPC.invalidArgument, message };
  }
  const coding = codingOf(request);
  if (!CODINGS.has(coding)) {
    const message = `content-encoding: given ${JSON.stringify(coding.slice(0, 200))}, accepted are gzip, deflate, zstd and identity`;
    return {
      httpStatus: 415,
      rpcCode: RPC.unimplemented,
      message,
      headers: { "accept-encoding": "gzip, deflate, zstd, identity" },
    };
  }
  return null;
}

function send(
  response: ServerResponse,
  status: number,
  extra: OutgoingHttpHeaders,
  body: Uint8Array,
  encoding: OtlpEncoding,
): void {
  response.writeHead(status, { ...extra, "content-type": CONTENT_TYPES[encoding], "content-length": body.length });
  response.end(body);
}

/** A request that was not read to its end is answered at once, then drained for a moment: a reset would overtake the answer. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  extra: OutgoingHttpHeaders,
  body: Uint8Array,
  encoding: OtlpEncoding | null,
): void {
  if (response.headersSent || response.destroyed) return;
  if (request.complete || hasNoBody(request)) {
    send(response, status, extra, body, encoding ?? "json");
    return;
  }
  const type = CONTENT_TYPES[encoding ?? "json"];
  response.writeHead(status, { ...extra, "content-type": type, "content-length": body.length, connection: "close" });
  response.write(body);
  const end = (): void => {
    clearTimeout(timer);
    response.end(() => request.socket.destroySoon());
  };
  const timer = setTimeout(end, LINGER_MS);
  request.once("end", end);
  request.once("close", end);
  request.resume();
}

function hasNoBody(request: IncomingMessage): boolean {
  return request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined;
}
