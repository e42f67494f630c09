/** ClickHouse's HTTP interface over the engine, as far as clients of this project and ordinary SQL tools use it. */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import type { Engine, StatementClass, StatementContext } from "../engine/engine.ts";
import { engineErrorOf, EngineError, ERROR } from "../engine/errors.ts";
import { stringLiteral } from "../engine/literal.ts";
import { ID_SETTING } from "../engine/server-config.ts";
import { refuseOutside } from "../sql/outside.ts";
import { parseStatement, type Statement } from "../sql/statement.ts";
import { tokensOf } from "../sql/tokens.ts";
import { sendAnswer, sendError, sendStream, statisticsOf, type AnswerHead } from "./answer.ts";
import { openBody, STATEMENT_BYTES_MAX, type Body } from "./body.ts";
import { refuseForeign } from "./guard.ts";
import { readParameters, type RequestParameters } from "./parameters.ts";

/** Room for long statements in the URL, as ClickHouse allows (http_max_uri_size is 1 MiB). */
const HEADER_BYTES_MAX = 1024 * 1024 + 64 * 1024;
const KEEP_ALIVE_MS = 30_000;
const DEFAULT_FORMAT = "TabSeparated";

export function createEngineServer(engine: Engine, log: Log): Server {
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void answer(engine, request, response).catch((error: unknown) => {
      const failure = engineErrorOf(error);
      log.debug({ code: failure.code }, "a statement failed");
      sendError(response, null, failure, engine.version);
    });
  });
  // A body may come slowly, but not for ever.
  server.requestTimeout = 300_000;
  return server;
}

async function answer(engine: Engine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  refuseForeign(request.headers);
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname === "/ping") {
    sendText(response, 200, "Ok.\n");
    return;
  }
  if (url.pathname !== "/") {
    sendText(response, 404, `There is no handle ${url.pathname}; the interface is at / and /ping\n`);
    return;
  }
  if (request.method !== "GET" && request.method !== "POST") {
    response.setHeader("Allow", "GET, POST");
    sendText(response, 405, "accepted methods are GET and POST\n");
    return;
  }
  await answerStatement(engine, request, response, url);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=UTF-8");
  response.end(text);
}

async function answerStatement(engine: Engine, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const left = new AbortController();
  response.once("close", () => left.abort());
  const form = await readForm(request);
  const parameters = readParameters([...url.searchParams, ...form]);
  const queryId = parameters.queryId ?? randomUUID();
  response.setHeader("X-ClickHouse-Query-Id", queryId);
  const body = await openBody(request, STATEMENT_BYTES_MAX);
  const isInUrl = parameters.query.trim() !== "";
  const head = isInUrl ? Buffer.from(parameters.query) : body.head;
  const statement = parseStatement(head.toString("latin1"));
  if (statement.kind === "empty") {
    if (request.method === "GET") sendText(response, 200, "Ok.\n");
    else throw new EngineError(ERROR.SYNTAX_ERROR, "Syntax error: Empty query.");
    return;
  }
  const settings = new Map(parameters.settings);
  // As ClickHouse does: a GET changes nothing.
  if (request.method === "GET" && !(Number(settings.get("readonly") ?? 0) > 0)) settings.set("readonly", "2");
  const defaultFormat = parameters.defaultFormat ?? headerOf(request, "x-clickhouse-format") ?? DEFAULT_FORMAT;
  const context: StatementContext = {
    queryId,
    database: parameters.database ?? headerOf(request, "x-clickhouse-database"),
    settings,
    params: parameters.params,
    defaultFormat,
    signal: left.signal,
  };
  const answerHead: AnswerHead = {
    queryId,
    format: statement.kind === "select" || statement.kind === "question" ? (statement.format ?? defaultFormat) : defaultFormat,
    timezone: engine.timezone,
    version: engine.version,
    gzipLevel: acceptsGzip(request, parameters) ? parameters.compressionLevel : null,
  };
  const { isWhole, bodyFile } = parameters;
  await dispatch({ engine, response, statement, context, answerHead, head, body, isInUrl, isWhole, bodyFile });
}

interface Job {
  readonly engine: Engine;
  readonly response: ServerResponse;
  readonly statement: Statement;
  readonly context: StatementContext;
  readonly answerHead: AnswerHead;
  /** Bytes that hold the statement. */
  readonly head: Buffer;
  readonly body: Body;
  readonly isInUrl: boolean;
  /** The answer is wanted whole or not at all. */
  readonly isWhole: boolean;
  /** The rows are in this file of the spool, and none in the body. */
  readonly bodyFile: string | null;
}

async function dispatch(job: Job): Promise<void> {
  const { statement } = job;
  if (statement.kind === "insert_data" || statement.kind === "insert_input") {
    await insertRows(job, statement);
    return;
  }
  if (job.isInUrl ? !job.body.isWhole || job.body.head.length > 0 : !job.body.isWhole) {
    // What is left unread would stand before the next request of this connection, which then waits for its end.
    for await (const chunk of job.body.rest) void chunk;
    if (job.isInUrl)
      throw new EngineError(
        ERROR.SYNTAX_ERROR,
        "The body belongs to no INSERT: send the statement in the URL or in the body, not in both.",
      );
    throw new EngineError(ERROR.QUERY_IS_TOO_LARGE, `The statement is longer than ${STATEMENT_BYTES_MAX} bytes.`);
  }
  if (statement.kind === "select" && !job.isWhole) {
    const { formatAt, end } = statement;
    const before = job.head.toString("utf8", 0, formatAt ?? end);
    const after =
      formatAt === null ? `FORMAT ${checkedFormat(job.context.defaultFormat)}` : job.head.toString("utf8", formatAt, end);
    await sendStream(job.response, job.answerHead, await job.engine.stream(`${before}\n`, after, job.context));
    return;
  }
  if (statement.kind === "empty") return;
  const sql =
    statement.kind === "kill" ? killText(job.head, statement.idsAt, statement.end) : job.head.toString("utf8", 0, statement.end);
  const done = await job.engine.run(sql, classOf(statement.kind), job.context);
  sendAnswer(job.response, job.answerHead, done.bytes, {
    ...statisticsOf(job.answerHead.format, done.bytes),
    resultRows: done.rowCount,
    resultBytes: done.bytes.length,
    elapsedMs: done.elapsedMs,
  });
}

/** Clients know statements by the ids they gave; the engine lists its own, and theirs in a setting. */
function killText(head: Buffer, idsAt: readonly number[], end: number): string {
  let text = "";
  let from = 0;
  for (const at of idsAt) {
    text += `${head.toString("utf8", from, at)}Settings['${ID_SETTING}']`;
    from = at + "query_id".length;
  }
  return text + head.toString("utf8", from, end);
}

function classOf(kind: "select" | "question" | "kill" | "insert_select" | "change"): StatementClass {
  if (kind === "select" || kind === "question") return "read";
  if (kind === "kill") return "control";
  return kind === "insert_select" ? "insert" : "change";
}

async function insertRows(job: Job, statement: Statement & { kind: "insert_data" | "insert_input" }): Promise<void> {
  const { engine, head, body, isInUrl, bodyFile } = job;
  const inline = head.subarray(statement.dataAt);
  const first = isInUrl ? Buffer.concat([inline, body.head]) : inline;
  const context = isValues(statement.format) ? withCheckedValues(job.context, first, body.isWhole) : job.context;
  if (bodyFile !== null && (first.length > 0 || !body.isWhole))
    throw new EngineError(ERROR.BAD_ARGUMENTS, "The rows are in a file or in the body, not in both.");
  const file = bodyFile === null ? await engine.spool.write(first, body.rest) : await engine.spool.find(bodyFile);
  try {
    const text = (start: number, end: number): string => head.toString("utf8", start, end);
    const path = stringLiteral(file.path);
    const format = checkedFormat(statement.format);
    const sql =
      statement.kind === "insert_data"
        ? `${text(0, statement.infileAt)} FROM INFILE ${path} ${text(statement.infileAt, statement.headEnd)} FORMAT ${format}`
        : `${text(0, statement.inputAt)}file(${path}, ${format}, ${statement.structure})${text(statement.inputEnd, statement.headEnd)}`;
    const done = await engine.run(sql, "insert", context);
    const writtenRows = statement.kind === "insert_data" ? done.rowCount : 0;
    sendAnswer(job.response, job.answerHead, new Uint8Array(), {
      writtenRows,
      writtenBytes: file.byteCount,
      elapsedMs: done.elapsedMs,
    });
  } finally {
    await file.remove();
  }
}

function isValues(format: string): boolean {
  return format.toUpperCase() === "VALUES";
}

/** Rows of VALUES may hold expressions: they are read like a statement, or, where they are too long for that, may hold none. */
function withCheckedValues(context: StatementContext, rows: Buffer, isWhole: boolean): StatementContext {
  if (!isWhole)
    return { ...context, settings: new Map([...context.settings, ["input_format_values_interpret_expressions", "0"]]) };
  refuseOutside([...tokensOf(rows.toString("latin1"))]);
  return context;
}

function checkedFormat(format: string): string {
  if (!/^\w+$/.test(format)) throw new EngineError(ERROR.BAD_ARGUMENTS, `Format ${JSON.stringify(format)} is not a name.`);
  return format;
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function acceptsGzip(request: IncomingMessage, parameters: RequestParameters): boolean {
  return parameters.isCompressionEnabled && /\bgzip\b/.test(headerOf(request, "accept-encoding") ?? "");
}

/** Parameters and statement sent as a form (`multipart/form-data`), which clients use when they are too long for a URL. */
async function readForm(request: IncomingMessage): Promise<[string, string][]> {
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) return [];
  const body = await openBody(request, STATEMENT_BYTES_MAX);
  if (!body.isWhole) throw new EngineError(ERROR.QUERY_IS_TOO_LARGE, `The form is longer than ${STATEMENT_BYTES_MAX} bytes.`);
  try {
    const form = await new Response(body.head, { headers: { "Content-Type": type } }).formData();
    return [...form].flatMap(([name, value]): [string, string][] => (typeof value === "string" ? [[name, value]] : []));
  } catch (error) {
    throw new EngineError(ERROR.CANNOT_PARSE_TEXT, `The form could not be read: ${messageOf(error)}.`);
  }
}
