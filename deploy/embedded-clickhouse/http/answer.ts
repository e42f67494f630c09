/** Answers as ClickHouse's HTTP interface gives them: headers, streamed rows, errors before and in the middle of the rows. */
import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { hostname } from "node:os";
import type { Writable } from "node:stream";
import { createGzip, gzipSync } from "node:zlib";
import type { EngineAnswer, StreamedAnswer } from "../engine/engine.ts";
import { engineErrorOf, statusOf, type EngineError } from "../engine/errors.ts";

export interface AnswerHead {
  readonly queryId: string;
  readonly format: string;
  readonly timezone: string;
  readonly version: string;
  /** Level of gzip, null for an answer as it is. */
  readonly gzipLevel: number | null;
}

/** An answer up to this size is held back until its statement has ended: its status is then the truth and its summary complete. */
const HELD_BYTES_MAX = 256 * 1024;

/** Content types by format (ClickHouse src/Processors/Formats); all others are tab separated text. */
const CONTENT_TYPES: readonly (readonly [pattern: RegExp, type: string])[] = [
  [/^(JSONEachRow|JSONCompactEachRow|JSONStringsEachRow|JSONLines|NDJSON)/i, "application/x-ndjson; charset=UTF-8"],
  [/^JSON/i, "application/json; charset=UTF-8"],
  [/^CSV/i, "text/csv; charset=UTF-8; header=absent"],
  [/^(TSV|TabSeparated)/i, "text/tab-separated-values; charset=UTF-8"],
  [/^(Native|RowBinary|Parquet|Arrow|ORC|Avro|MsgPack|Npy|Protobuf|BSON)/i, "application/octet-stream"],
  [/^XML/i, "application/xml; charset=UTF-8"],
  [/./, "text/plain; charset=UTF-8"],
];

function setHead(response: ServerResponse, head: AnswerHead): void {
  response.setHeader("X-ClickHouse-Server-Display-Name", hostname());
  response.setHeader("X-ClickHouse-Query-Id", head.queryId);
  response.setHeader("X-ClickHouse-Timezone", head.timezone);
  response.setHeader("X-ClickHouse-Format", head.format);
  response.setHeader("Content-Type", CONTENT_TYPES.find(([pattern]) => pattern.test(head.format))?.[1] ?? "text/plain");
}

export interface Summary {
  readonly readRows?: number;
  readonly readBytes?: number;
  readonly writtenRows?: number;
  readonly writtenBytes?: number;
  readonly resultRows?: number;
  readonly resultBytes?: number;
  readonly elapsedMs: number;
}

function summaryHeader(summary: Summary): string {
  const text = (value: number | undefined): string => String(value ?? 0);
  return JSON.stringify({
    read_rows: text(summary.readRows),
    read_bytes: text(summary.readBytes),
    written_rows: text(summary.writtenRows),
    written_bytes: text(summary.writtenBytes),
    total_rows_to_read: "0",
    result_rows: text(summary.resultRows),
    result_bytes: text(summary.resultBytes),
    elapsed_ns: String(Math.round(summary.elapsedMs * 1e6)),
  });
}

/** Sends a whole answer. */
export function sendAnswer(response: ServerResponse, head: AnswerHead, body: Uint8Array, summary: Summary): void {
  setHead(response, head);
  response.setHeader("X-ClickHouse-Summary", summaryHeader(summary));
  sendWhole(response, head, body);
}

function sendWhole(response: ServerResponse, head: AnswerHead, body: Uint8Array): void {
  const sent = head.gzipLevel === null || body.length === 0 ? body : gzipSync(body, { level: head.gzipLevel });
  if (sent !== body) response.setHeader("Content-Encoding", "gzip");
  response.setHeader("Content-Length", sent.length);
  response.end(sent);
}

/**
 * Sends rows while the engine writes them. A failure before the first part was sent is a plain error answer; one after it is appended to
 * the rows as ClickHouse does since 25.11 (src/Server/HTTP/WriteBufferFromHTTPServerResponse.cpp) and the connection is cut, so that no
 * client can take the rows for all there are.
 */
export async function sendStream(response: ServerResponse, head: AnswerHead, answer: StreamedAnswer): Promise<void> {
  let held: Buffer[] | null = [];
  let heldBytes = 0;
  let out: Writable = response;
  const tag = randomBytes(8).toString("hex");
  for await (const chunk of answer.stream) {
    if (response.destroyed) continue;
    if (held === null) {
      await write(out, response, chunk);
      continue;
    }
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes <= HELD_BYTES_MAX) continue;
    out = begin(response, head, tag);
    await write(out, response, Buffer.concat(held));
    held = null;
  }
  let done: EngineAnswer;
  try {
    done = await answer.done;
  } catch (error) {
    if (held !== null) throw error;
    await breakOff(out, response, tag, engineErrorOf(error), head.version);
    return;
  }
  if (held === null) {
    out.end();
    return;
  }
  const body = Buffer.concat(held);
  sendAnswer(response, head, body, {
    ...statisticsOf(head.format, body),
    resultRows: done.rowCount,
    resultBytes: body.length,
    elapsedMs: done.elapsedMs,
  });
}

function begin(response: ServerResponse, head: AnswerHead, tag: string): Writable {
  setHead(response, head);
  response.setHeader("X-ClickHouse-Exception-Tag", tag);
  if (head.gzipLevel === null) return response;
  response.setHeader("Content-Encoding", "gzip");
  const gzip = createGzip({ level: head.gzipLevel });
  gzip.pipe(response);
  // The client left: nothing more will be taken.
  response.once("close", () => gzip.destroy());
  gzip.on("error", () => response.destroy());
  return gzip;
}

async function write(out: Writable, response: ServerResponse, chunk: Buffer): Promise<void> {
  if (out.destroyed || out.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      out.off("drain", go);
      response.off("close", go);
      resolve();
    };
    out.on("drain", go);
    response.on("close", go);
  });
}

async function breakOff(
  out: Writable,
  response: ServerResponse,
  tag: string,
  error: EngineError,
  version: string,
): Promise<void> {
  const message = `${error.text} (version ${version})\n`;
  const block = `\r\n__exception__\r\n${tag}\r\n${message}${Buffer.byteLength(message)} ${tag}\r\n__exception__\r\n`;
  if (response.destroyed) return;
  if (out !== response) {
    await new Promise<void>((resolve) => out.end(block, () => resolve()));
  } else {
    await new Promise<void>((resolve) => out.write(block, () => resolve()));
  }
  response.destroy();
}

/**
 * The rows and bytes read, from the end of an answer in a format that states them. chDB's addon does not hand them out, so answers in
 * other formats carry 0.
 */
export function statisticsOf(format: string, body: Uint8Array): { readRows?: number; readBytes?: number } {
  if (!/^JSON/i.test(format)) return {};
  const end = Buffer.from(body.subarray(-256)).toString("latin1");
  const match = /"rows_read": ?"?(\d+)"?,\s*"bytes_read": ?"?(\d+)"?/.exec(end);
  return match === null ? {} : { readRows: Number(match[1]), readBytes: Number(match[2]) };
}

/** Sends an error if nothing was sent yet; cuts the connection otherwise. */
export function sendError(response: ServerResponse, queryId: string | null, error: EngineError, version: string): void {
  if (response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of ["Content-Encoding", "Content-Length", "X-ClickHouse-Format", "X-ClickHouse-Summary"])
    response.removeHeader(name);
  response.statusCode = statusOf(error.code);
  response.setHeader("Content-Type", "text/plain; charset=UTF-8");
  response.setHeader("X-ClickHouse-Exception-Code", error.code);
  if (queryId !== null) response.setHeader("X-ClickHouse-Query-Id", queryId);
  response.end(`${error.text} (version ${version})\n`);
}
