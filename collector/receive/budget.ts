/**
 * One budget for all bytes that requests hold while they are in flight: as they came, decompressed, and waiting for the log. All
 * receivers share it, so memory stays bounded whatever arrives.
 */
import { Failure } from "@callchain/schemas/span/errors.ts";
import { BodyPool } from "./body-pool.ts";

const RETRY_AFTER_MS = 1_000;
const POOL_BYTES_MAX = 32 * 1024 * 1024;

export class ByteBudget {
  readonly maxBytes: number;
  readonly pool = new BodyPool(POOL_BYTES_MAX);
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  openLease(): Lease {
    return new Lease(this);
  }

  /** Throws Failure "overloaded" where the bytes do not fit now. */
  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.maxBytes) {
      const message = `requests in flight hold ${this.#usedBytes} of ${this.maxBytes} bytes; ${bytes} more do not fit now`;
      throw new Failure("overloaded", message, { retryAfterMs: RETRY_AFTER_MS });
    }
    this.#usedBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** What one request holds of the budget. */
export class Lease {
  readonly #budget: ByteBudget;
  #heldBytes = 0;
  #body: Buffer | null = null;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Takes more. Throws Failure "overloaded" where it does not fit now. */
  take(bytes: number): void {
    this.#budget.take(bytes);
    this.#heldBytes += bytes;
  }

  /** Gives back what turned out not to be needed. */
  giveBack(bytes: number): void {
    this.#budget.giveBack(bytes);
    this.#heldBytes -= bytes;
  }

  /**
   * Memory for the request's body, of exactly `bytes`; one a lease. It is somebody else's after `release`. Its bytes are not counted
   * here: they are taken as they come.
   */
  lendBody(bytes: number): Buffer {
    if (this.#body !== null) throw new Failure("internal", "a request has one body");
    this.#body = this.#budget.pool.take(bytes);
    return this.#body.subarray(0, bytes);
  }

  /** Gives everything back. Safe to call again. */
  release(): void {
    if (this.#body !== null) this.#budget.pool.giveBack(this.#body);
    this.#body = null;
    this.#budget.giveBack(this.#heldBytes);
    this.#heldBytes = 0;
  }
}
