/**
 * gRPC on HTTP/2, what a unary server needs of it (grpc/grpc doc/PROTOCOL-HTTP2.md): a message is 1 byte "compressed", 4 bytes
 * length, big endian, then the bytes; the status comes in the trailers, or in the only headers where there is no message.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { Failure, InvalidError } from "@callchain/schemas/span/errors.ts";
import { encodeStatus } from "@callchain/schemas/otlp/response.ts";
import type { Lease } from "./budget.ts";
import type { ContentCoding } from "./content-encoding.ts";

const PREFIX_BYTES = 5;
/** grpc-message and grpc-status-details-bin travel as headers; peers accept 8 KiB of those in all. */
const MESSAGE_LENGTH_MAX = 1_024;

export const GRPC_CONTENT_TYPE = "application/grpc+proto";
export const GRPC_ENCODINGS: ReadonlyMap<string, ContentCoding | null> = new Map([
  ["identity", null],
  ["gzip", "gzip"],
  ["deflate", "deflate"],
]);

/** Collects the one message of a unary call. */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #lease: Lease;
  #chunks: Buffer[] = [];
  #length = 0;
  #whole: Buffer | null = null;
  /** Bytes of prefix and message; null until the prefix is here. */
  #expected: number | null = null;
  #isCompressed = false;

  constructor(maxBytes: number, lease: Lease) {
    this.#maxBytes = maxBytes;
    this.#lease = lease;
  }

  /** Throws Failure "too_large" beyond the limit, "overloaded" without room in the budget, InvalidError for a second message. */
  push(chunk: Buffer): void {
    this.#lease.take(chunk.length);
    const at = this.#length;
    this.#length += chunk.length;
    if (this.#expected === null && this.#length >= PREFIX_BYTES) this.#readPrefix(chunk, at);
    if (this.#expected !== null && this.#length > this.#expected)
      throw new InvalidError("a unary call carries one message, this one more");
    if (this.#whole === null) this.#chunks.push(chunk);
    else this.#whole.set(chunk, at);
  }

  /** The message, valid until the lease is released. Throws InvalidError where the call ended before its message did. */
  finish(): { readonly bytes: Uint8Array; readonly isCompressed: boolean } {
    if (this.#expected === null || this.#length < this.#expected) {
      const missing = this.#expected === null ? "" : ` of ${this.#expected}`;
      throw new InvalidError(`the call ended after ${this.#length}${missing} bytes of its message and prefix`);
    }
    const whole = this.#whole ?? this.#join();
    return { bytes: whole.subarray(PREFIX_BYTES), isCompressed: this.#isCompressed };
  }

  #join(): Buffer {
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#length);
  }

  #readPrefix(chunk: Buffer, at: number): void {
    const prefix = at === 0 ? chunk : Buffer.concat([...this.#chunks, chunk], at + chunk.length);
    const flag = prefix.readUInt8(0);
    if (flag > 1) throw new InvalidError(`the message's first byte is 0 or 1, given ${flag}`);
    this.#isCompressed = flag === 1;
    const length = prefix.readUInt32BE(1);
    if (length > this.#maxBytes) {
      throw new Failure("too_large", `the message of ${length} bytes is longer than the limit of ${this.#maxBytes} bytes`);
    }
    this.#expected = PREFIX_BYTES + length;
    if (this.#length >= this.#expected) return;
    const whole = this.#lease.lendBody(this.#expected);
    let into = 0;
    for (const earlier of this.#chunks) {
      whole.set(earlier, into);
      into += earlier.length;
    }
    this.#chunks = [];
    this.#whole = whole;
  }
}

/** An uncompressed message with its prefix. */
export function encodeMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

/** The trailers that tell a status that is not OK, with google.rpc.Status in `grpc-status-details-bin`. */
export function statusTrailers({ code, message, retryAfterMs }: GrpcStatus): OutgoingHttpHeaders {
  const text = (message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX)}...` : message).toWellFormed();
  const details = encodeStatus({ code, message: text, retryDelayMs: retryAfterMs }, "protobuf");
  return {
    "grpc-status": String(code),
    // Percent-encoded outside printable ASCII.
    "grpc-message": text.replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent),
    "grpc-status-details-bin": Buffer.from(details).toString("base64").replace(/=+$/, ""),
  };
}

const TIMEOUT_UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The call's time in ms, null where it has no limit. Throws InvalidError where the header is malformed. */
export function parseTimeout(headers: IncomingHttpHeaders): number | null {
  const text = headers["grpc-timeout"];
  if (text === undefined) return null;
  const match = typeof text === "string" ? /^(\d{1,8})([HMSmun])$/.exec(text) : null;
  const unitMs = TIMEOUT_UNIT_MS[match?.[2] ?? ""];
  if (match === null || unitMs === undefined) {
    throw new InvalidError(`grpc-timeout: given ${JSON.stringify(text)}, accepted is up to 8 digits and one of H M S m u n`);
  }
  return Math.min(Number(match[1]) * unitMs, TIMER_MAX_MS);
}
