/** The express app: the route table under /api/v1, the probes at the root, and the page. */
import { constants } from "node:zlib";
import type { IngestAnswer } from "@callchain/schemas/api/catalog.ts";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { Histogram, type Registry } from "@callchain/schemas/runtime/metrics.ts";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import type { CallCounter, SpanImporter } from "@callchain/schemas/span/ports.ts";
import { unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { SKELETON_MEDIA_TYPE } from "@callchain/schemas/api/skeleton.ts";
import { LINES_MEDIA_TYPE } from "@callchain/schemas/api/transfer.ts";
import compression from "compression";
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler, type Response } from "express";
import { guardHost, setSecurityHeaders } from "./app-security.ts";
import { servePage } from "./app-page.ts";
import { API_PREFIX } from "./routes/openapi.ts";
import type { RawParams } from "./routes/params.ts";
import { PROBLEM_MEDIA_TYPE, buildHttpProblem, buildProblem } from "./routes/problem.ts";
import { Slots } from "./routes/slots.ts";
import { BytesReply, type RouteContext, type RouteDefinition } from "./routes/route.ts";

export interface AppOptions {
  readonly database: SpanDatabase;
  /** The built page, or null to serve the API only. */
  readonly uiDir: string | null;
  readonly ingest: () => IngestAnswer;
  readonly importer: SpanImporter | null;
  readonly callCounter: CallCounter | null;
  readonly metrics: Registry;
  readonly logger: Log;
  /** Host names, beside loopback names and plain IP addresses, under which browsers may reach us. */
  readonly allowedHosts: readonly string[];
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

/** Each holds a connection and asks once a second. */
const TAIL_COUNT_MAX = 16;
/** Each holds a few requests' worth of memory, and all wait for the same log. */
const IMPORT_COUNT_MAX = 2;

/**
 * For a question as a whole, until its answer is there or begins to stream: it may need several statements, each with its own limit. An
 * import takes what it takes.
 */
const QUESTION_TIME_MAX_MS = 40_000;

/** What all requests of one server share. */
type Shared = Pick<RouteContext, "tails" | "imports">;

export function buildApp(routes: readonly RouteDefinition[], options: AppOptions): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  // The routes read the query string themselves: the same text may mean nothing to a parser with nested keys.
  app.set("query parser", false);
  app.use(setSecurityHeaders, guardHost(options.allowedHosts), compress(), closeAfterBody);
  const observe = observeRequests(options.metrics);
  const shared: Shared = { tails: new Slots("live tails", TAIL_COUNT_MAX), imports: new Slots("imports", IMPORT_COUNT_MAX) };
  for (const route of routes) {
    app.all(API_PREFIX + route.path.replaceAll(/\{(\w+)\}/g, ":$1"), observe(route.path), answerRoute(route, options, shared));
  }
  for (const path of ["/health", "/ready"]) {
    const route = routes.find((candidate) => candidate.path === path);
    if (route !== undefined) app.all(path, answerRoute(route, options, shared));
  }
  app.get(["/metrics", `${API_PREFIX}/metrics`], serveMetrics(options.metrics));
  app.use("/api", (request, response) => {
    sendProblem(
      response,
      buildHttpProblem(
        404,
        `no route ${request.method} ${request.baseUrl}${request.path}; ${API_PREFIX}/openapi.json lists them`,
      ),
    );
  });
  if (options.uiDir !== null) app.use(servePage(options.uiDir));
  app.use((request, response) => {
    sendProblem(response, buildHttpProblem(404, `nothing at ${request.path}`));
  });
  app.use(answerError(options.logger));
  return app;
}

/** Beside those that are known to shrink. */
const COMPRESSED_TYPES: ReadonlySet<string> = new Set([SKELETON_MEDIA_TYPE, LINES_MEDIA_TYPE]);

function compress(): RequestHandler {
  return compression({
    level: 1,
    brotli: { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } },
    filter: (request, response) =>
      COMPRESSED_TYPES.has(String(response.getHeader("Content-Type"))) || compression.filter(request, response),
  });
}

/** Only an import reads a body: any other is not waited for once the answer is out. */
const closeAfterBody: RequestHandler = (request, response, next) => {
  const hasBody = request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
  if (hasBody && request.path !== `${API_PREFIX}/import`) response.set("Connection", "close");
  next();
};

function observeRequests(metrics: Registry): (path: string) => RequestHandler {
  const seconds = new Histogram({
    name: "callchain_query_request_seconds",
    help: "Time until a request of the query API was answered in full",
    labelNames: ["route", "status"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [metrics],
  });
  return (route) => (_request, response, next) => {
    const end = seconds.startTimer({ route });
    response.once("close", () => end({ status: String(response.statusCode) }));
    next();
  };
}

function serveMetrics(metrics: Registry): RequestHandler {
  return async (_request, response) => {
    const text = await metrics.metrics();
    response.type(metrics.contentType).set("Cache-Control", "no-store").send(text);
  };
}

function answerRoute(route: RouteDefinition, options: AppOptions, shared: Shared): RequestHandler {
  return async (request, response) => {
    const accepted = route.method === "GET" ? ["GET", "HEAD"] : [route.method];
    if (!accepted.includes(request.method)) {
      response.set("Allow", accepted.join(", "));
      sendProblem(response, buildHttpProblem(405, `${request.method} is not accepted here; accepted: ${accepted.join(", ")}`));
      return;
    }
    const left = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) left.abort(new Failure("timeout", "the client has gone"));
    });
    const late = new AbortController();
    const isLimited = route.method === "GET";
    const timer = isLimited ? setTimeout(() => late.abort(tooLate()), QUESTION_TIME_MAX_MS) : undefined;
    const answer = await route
      .run(readRawParams(request), {
        ...buildContext(request, options, AbortSignal.any([left.signal, late.signal])),
        ...shared,
      })
      .finally(() => clearTimeout(timer));
    response.set("Cache-Control", "no-store");
    if (answer instanceof BytesReply) await sendBytes(response, answer);
    else response.json(answer);
  };
}

function tooLate(): Failure {
  const seconds = QUESTION_TIME_MAX_MS / 1000;
  return new Failure("timeout", `the question took longer than ${seconds} s in all; narrow the time range or the query`);
}

function buildContext(request: Request, options: AppOptions, left: AbortSignal): Omit<RouteContext, keyof Shared> {
  return {
    database: options.database,
    signal: AbortSignal.any([left, options.stopping]),
    now: unixNanoFromMs(Date.now()),
    ingest: options.ingest,
    logger: options.logger,
    accepts: (...mediaTypes) => {
      const best = request.accepts([...mediaTypes]);
      return typeof best === "string" ? best : null;
    },
    importer: options.importer,
    callCounter: options.callCounter,
    upload: { body: request, contentEncoding: request.get("Content-Encoding")?.toLowerCase() ?? null },
    lastEventId: request.get("Last-Event-ID") ?? null,
  };
}

/** Names stay in a Map: a parameter called `__proto__` is only an unknown parameter. */
function readRawParams(request: Request): RawParams {
  const raw = new Map<string, string[]>();
  const question = request.originalUrl.indexOf("?");
  const search = question < 0 ? "" : request.originalUrl.slice(question + 1);
  for (const [name, value] of new URLSearchParams(search)) {
    const texts = raw.get(name);
    if (texts === undefined) raw.set(name, [value]);
    else texts.push(value);
  }
  // The path's own parameters win over a query parameter of the same name.
  for (const [name, value] of Object.entries(request.params)) raw.set(name, typeof value === "string" ? [value] : value);
  return raw;
}

/** Sends at the client's pace; what the producer throws before its first bytes still becomes a problem. */
async function sendBytes(response: Response, { mediaType, body }: BytesReply): Promise<void> {
  if (body instanceof Uint8Array) {
    response.set("Content-Type", mediaType).end(body);
    return;
  }
  let wake: (() => void) | undefined;
  // Once for the whole answer: the compressing stream behind the response cannot take a "drain" listener back.
  response.on("drain", () => wake?.());
  response.on("close", () => wake?.());
  for await (const chunk of body) {
    if (!response.headersSent) response.set("Content-Type", mediaType);
    const hasRoom = response.write(chunk);
    response.flush();
    if (response.req.method === "HEAD") break;
    if (!hasRoom && !response.destroyed) await new Promise<void>((resolve) => (wake = resolve));
    if (response.destroyed) return;
  }
  if (!response.headersSent) response.set("Content-Type", mediaType);
  response.end();
}

function sendProblem(response: Response, problem: { readonly status: number }): void {
  response.status(problem.status).set("Cache-Control", "no-store").type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem));
}

/** The last stop of every thrown value. Express tells an error handler by its four parameters. */
function answerError(logger: Log): ErrorRequestHandler {
  return (error: unknown, request: Request, response: Response, _next) => {
    const { body, retryAfterSeconds } = buildProblem(error);
    if (body.status >= 500 && !response.destroyed) {
      logger.error({ path: request.path, status: body.status, reason: messageOf(error) }, "a question could not be answered");
    }
    if (response.headersSent) {
      // The body was under way: only a cut connection tells the client that it is not whole.
      response.destroy();
      return;
    }
    if (retryAfterSeconds !== undefined) response.set("Retry-After", String(retryAfterSeconds));
    sendProblem(response, body);
  };
}
