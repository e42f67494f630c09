/** A bounded number of statements at once and a bounded queue behind them, in order of arrival. */
import { EngineError, ERROR } from "./errors.ts";

export class Gate {
  readonly #name: string;
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waiting: { readonly enter: () => void; readonly leave: (reason: EngineError) => void }[] = [];
  #runningCount = 0;

  constructor(name: string, runningMax: number, waitingMax: number) {
    this.#name = name;
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  get runningCount(): number {
    return this.#runningCount;
  }

  /**
   * Resolves when a place is free; the caller must call the returned function once when done. Rejects with
   * TOO_MANY_SIMULTANEOUS_QUERIES when the queue is full and with QUERY_WAS_CANCELLED when the signal aborts first.
   */
  enter(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return Promise.reject(cancelled());
    if (this.#runningCount < this.#runningMax) {
      this.#runningCount += 1;
      return Promise.resolve(this.#leaveOnce());
    }
    if (this.#waiting.length >= this.#waitingMax) {
      const detail = `${this.#runningCount} ${this.#name} statements are running and ${this.#waiting.length} are waiting`;
      return Promise.reject(
        new EngineError(ERROR.TOO_MANY_SIMULTANEOUS_QUERIES, `Too many simultaneous queries: ${detail}; try again later.`),
      );
    }
    return new Promise((resolve, reject) => {
      const place = {
        enter: () => {
          signal.removeEventListener("abort", onAbort);
          this.#runningCount += 1;
          resolve(this.#leaveOnce());
        },
        leave: reject,
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(place), 1);
        reject(cancelled());
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(place);
    });
  }

  #leaveOnce(): () => void {
    let isLeft = false;
    return () => {
      if (isLeft) return;
      isLeft = true;
      this.#runningCount -= 1;
      this.#waiting.shift()?.enter();
    };
  }
}

function cancelled(): EngineError {
  return new EngineError(ERROR.QUERY_WAS_CANCELLED, "Query was cancelled before it began.");
}
