/** The bytes of an upload: decompressed where they are gzip, and given up where they stop coming. */
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { Failure, InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";

const STALL_MS = 30_000;
const GZIP_MAGIC = [0x1f, 0x8b] as const;

export interface Upload {
  /** As it came, at the reader's pace. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Of the header, lower case; null where there is none. */
  readonly contentEncoding: string | null;
}

/** `onBytes` hears of the bytes as they came. Throws InvalidError for another encoding or damaged gzip, Failure "timeout" for a stall. */
export async function* readUpload(upload: Upload, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  const encoding = upload.contentEncoding ?? "identity";
  if (encoding !== "gzip" && encoding !== "identity") {
    throw new InvalidError(`Content-Encoding: given ${JSON.stringify(encoding)}, accepted is gzip, or none`);
  }
  const pieces = readSteadily(upload.body, onBytes);
  const first = await pieces.next();
  if (first.done === true) return;
  // A .gz file is often sent as it is, with no header that says so.
  const isGzip = GZIP_MAGIC.every((byte, at) => first.value[at] === byte);
  if (!isGzip && encoding === "gzip") throw new InvalidError("Content-Encoding says gzip, but the body is not gzip");
  const all = prepend(first.value, pieces);
  yield* isGzip ? gunzip(all) : all;
}

async function* prepend(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function* gunzip(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip();
  const source = Readable.from(pieces);
  source.once("error", (error) => unzip.destroy(error));
  source.pipe(unzip);
  try {
    for await (const piece of unzip) yield piece as Uint8Array; // zlib streams are binary
  } catch (error) {
    if (error instanceof Failure || !(error instanceof Error && "code" in error && String(error.code).startsWith("Z_")))
      throw error;
    throw new InvalidError(`the gzip data is damaged: ${messageOf(error)}`, { cause: error });
  } finally {
    source.destroy();
    unzip.destroy();
  }
}

async function* readSteadily(body: AsyncIterable<Uint8Array>, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await withinLimit(iterator.next());
      if (next.done === true) return;
      onBytes(next.value.length);
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function withinLimit<T>(promise: Promise<T>): Promise<T> {
  const stalled = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    stalled.reject(new Failure("timeout", `no bytes of the file came for ${STALL_MS / 1_000} seconds`));
  }, STALL_MS);
  try {
    return await Promise.race([promise, stalled.promise]);
  } finally {
    clearTimeout(timer);
  }
}
