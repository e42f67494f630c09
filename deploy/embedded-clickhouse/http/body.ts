/** The body of a request: unpacked, capped, and split into a head that may be SQL and the rest that is data. */
import type { IncomingMessage } from "node:http";
import { createGunzip, createInflate } from "node:zlib";
import { EngineError, ERROR } from "../engine/errors.ts";

/** Statements of ClickHouse are at most 256 KiB by default (max_query_size); the data of an INSERT starts within this head. */
export const STATEMENT_BYTES_MAX = 1024 * 1024;

export interface Body {
  /** The first bytes: the whole body if it fits. */
  readonly head: Buffer;
  /** Whether the head is the whole body. */
  readonly isWhole: boolean;
  readonly rest: AsyncIterable<Uint8Array>;
}

/** Reads up to `headBytesMax`. Throws EngineError for a content encoding that is not spoken or is damaged. */
export async function openBody(request: IncomingMessage, headBytesMax: number): Promise<Body> {
  const chunks = unpack(request)[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let headBytes = 0;
  let isWhole = false;
  while (headBytes < headBytesMax) {
    const { done, value } = await chunks.next();
    if (done === true) {
      isWhole = true;
      break;
    }
    head.push(value);
    headBytes += value.length;
  }
  return { head: Buffer.concat(head), isWhole, rest: { [Symbol.asyncIterator]: () => chunks } };
}

function unpack(request: IncomingMessage): AsyncIterable<Uint8Array> {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return request;
  if (encoding === "gzip") return unpacked(request, createGunzip());
  if (encoding === "deflate") return unpacked(request, createInflate());
  throw new EngineError(
    ERROR.NOT_IMPLEMENTED,
    `Content-Encoding ${JSON.stringify(encoding)} is not spoken; accepted are identity, gzip and deflate.`,
  );
}

async function* unpacked(request: IncomingMessage, stream: ReturnType<typeof createGunzip>): AsyncGenerator<Uint8Array> {
  request.on("error", (error) => stream.destroy(error));
  request.pipe(stream);
  try {
    yield* stream;
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_")) {
      throw new EngineError(ERROR.CANNOT_PARSE_TEXT, `The body is not what its Content-Encoding says: ${error.message}.`);
    }
    throw error;
  }
}
