/** How many of the questions that go on for long may run at once. */
import { Failure } from "@callchain/schemas/span/errors.ts";

const RETRY_AFTER_MS = 10_000;

export class Slots {
  readonly #what: string;
  readonly #max: number;
  #taken = 0;

  /** `what` names them in the plural, for the refusal. */
  constructor(what: string, max: number) {
    this.#what = what;
    this.#max = max;
  }

  /** Takes one and gives back what releases it, safe to call again. Throws Failure "overloaded" where all are taken. */
  take(): () => void {
    if (this.#taken >= this.#max) {
      const message = `${this.#taken} ${this.#what} run already, which is all that this process takes at once; try again when one has ended`;
      throw new Failure("overloaded", message, { retryAfterMs: RETRY_AFTER_MS });
    }
    this.#taken += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#taken -= 1;
    };
  }
}
