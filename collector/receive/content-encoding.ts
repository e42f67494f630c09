/**
 * Decompression with its limits. A gzip body ends with its length (RFC 1952, ISIZE), so an honest one is decompressed in one piece
 * of the right size, and a bomb is refused by its own word; one that lies, or has several members, is held to the limit. Large
 * bodies are decompressed on a thread of the pool.
 */
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { Failure, InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";
import type { Lease } from "./budget.ts";

export type ContentCoding = "gzip" | "deflate" | "zstd";

/** Above this the event loop would stand still for more than about a millisecond. */
const INLINE_BYTES_MAX = 256 * 1024;
const CHUNK_BYTES_MIN = 64;
const CHUNK_BYTES = 64 * 1024;
/** Spans seldom compress better than this; what does takes a second attempt. */
const RATIO_USUAL = 20;

interface Codec {
  readonly sync: (body: Uint8Array, options: zlib.ZlibOptions) => Buffer;
  readonly async: (body: Uint8Array, options: zlib.ZlibOptions) => Promise<Buffer>;
}

// zstd takes the two options used here under the same names.
const CODECS: Readonly<Record<ContentCoding, Codec>> = {
  gzip: { sync: zlib.gunzipSync, async: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip) },
  deflate: { sync: zlib.inflateSync, async: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflate) },
  zstd: {
    sync: (body, { chunkSize, maxOutputLength }) => zlib.zstdDecompressSync(body, sizes(chunkSize, maxOutputLength)),
    async: (
      (decompress) =>
      (body: Uint8Array, { chunkSize, maxOutputLength }: zlib.ZlibOptions) =>
        decompress(body, sizes(chunkSize, maxOutputLength))
    )(promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress)),
  },
};

function sizes(chunkSize = 64 * 1024, maxOutputLength = 64 * 1024): zlib.ZstdOptions {
  return { chunkSize, maxOutputLength };
}

/**
 * Decompresses a body. Throws Failure "too_large" where it is longer than `maxBytes`, InvalidError where it is not of this coding,
 * and "overloaded" where the budget has no room. The lease then holds the decompressed bytes too.
 */
export async function decompress(body: Uint8Array, coding: ContentCoding, maxBytes: number, lease: Lease): Promise<Uint8Array> {
  const told = toldBytes(body, coding);
  if (told !== null && told > maxBytes) throw tooLarge(maxBytes);
  const guess = Math.min(maxBytes, told ?? Math.max(INLINE_BYTES_MAX, RATIO_USUAL * body.length));
  const result =
    (await attempt(body, coding, guess, told !== null, lease)) ?? (await attempt(body, coding, maxBytes, false, lease));
  if (result === null) throw tooLarge(maxBytes);
  return result;
}

/** Returns null, holding nothing, where the output is longer than `maxBytes`. */
async function attempt(
  body: Uint8Array,
  coding: ContentCoding,
  maxBytes: number,
  isExact: boolean,
  lease: Lease,
): Promise<Uint8Array | null> {
  lease.take(maxBytes);
  // One byte more, so that zlib sees the end of an output of exactly this length without asking for another chunk.
  const chunkSize = isExact ? Math.max(maxBytes + 1, CHUNK_BYTES_MIN) : CHUNK_BYTES;
  const result = await run(body, coding, maxBytes, chunkSize);
  lease.giveBack(maxBytes - (result?.length ?? 0));
  return result;
}

/** Returns null where the output is longer than `maxBytes`. */
async function run(body: Uint8Array, coding: ContentCoding, maxBytes: number, chunkSize: number): Promise<Buffer | null> {
  const options = { maxOutputLength: Math.max(maxBytes, 1), chunkSize };
  try {
    if (maxBytes <= INLINE_BYTES_MAX) return CODECS[coding].sync(body, options);
    return await CODECS[coding].async(body, options);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") return null;
    throw new InvalidError(`the body is not valid ${coding}: ${messageOf(error)}`, { cause: error });
  }
}

/** The length that the body itself tells, or null. */
function toldBytes(body: Uint8Array, coding: ContentCoding): number | null {
  if (coding !== "gzip" || body.length < 18) return null;
  const end = body.length;
  return new DataView(body.buffer, body.byteOffset, end).getUint32(end - 4, true);
}

function tooLarge(maxBytes: number): Failure {
  return new Failure("too_large", `the body is longer than the limit of ${maxBytes} bytes once decompressed`);
}
