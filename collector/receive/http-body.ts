/** Reading a request's body into one piece, within the limit of a request and the budget of all. */
import type { IncomingMessage } from "node:http";
import { Failure, InvalidError } from "@callchain/schemas/span/errors.ts";
import type { Lease } from "./budget.ts";

/**
 * Resolves with the whole body, or null where the sender went away before its end. Rejects with Failure "too_large" beyond
 * `maxBytes` and "overloaded" where the budget has no room. The bytes are taken from the budget as they come: a length that is
 * only claimed costs the sender's neighbours nothing. The body is valid until the lease is released.
 */
export function readBody(request: IncomingMessage, maxBytes: number, lease: Lease): Promise<Uint8Array | null> {
  const claimed = request.headers["content-length"];
  const expected = claimed === undefined ? null : Number(claimed);
  if (expected !== null && expected > maxBytes) return Promise.reject(bodyTooLarge(maxBytes, expected));
  return new Promise((resolve, reject) => {
    const chunks = new BodyChunks(expected, lease);
    request.on("data", (chunk: Buffer) => {
      try {
        lease.take(chunk.length);
        chunks.push(chunk);
        if (chunks.length > maxBytes) throw bodyTooLarge(maxBytes, null);
      } catch (error) {
        request.removeAllListeners("data");
        reject(error instanceof Error ? error : new InvalidError(String(error)));
      }
    });
    request.once("end", () => resolve(chunks.join()));
    request.once("close", () => resolve(null));
    request.once("error", () => resolve(null));
  });
}

function bodyTooLarge(maxBytes: number, given: number | null): Failure {
  const what = given === null ? "the body" : `the body of ${given} bytes`;
  return new Failure("too_large", `${what} is longer than the limit of ${maxBytes} bytes`);
}

/** Copies into one buffer where the length is known; a body of one chunk is not copied at all. */
class BodyChunks {
  readonly #expected: number | null;
  #chunks: Buffer[] = [];
  #whole: Buffer | null = null;
  readonly #lease: Lease;
  length = 0;

  constructor(expected: number | null, lease: Lease) {
    this.#expected = expected;
    this.#lease = lease;
  }

  push(chunk: Buffer): void {
    const at = this.length;
    this.length += chunk.length;
    if (this.#expected === null || (at === 0 && chunk.length === this.#expected)) {
      this.#chunks.push(chunk);
      return;
    }
    this.#whole ??= this.#lease.lendBody(this.#expected);
    this.#whole.set(chunk, at);
  }

  join(): Uint8Array {
    if (this.#whole !== null) return this.#whole;
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.length);
  }
}
