/** Starting in order and stopping in reverse: sources first, the engine last. */
import { messageOf } from "../span/errors.ts";
import type { Log } from "./log.ts";

export interface Running {
  /** Resolves when everything accepted has been handed on and nothing is left open. Safe to call once. */
  stop(): Promise<void>;
}

/** What has been started, newest last. `stop` ends the newest first and goes on past a part that fails to stop. */
export class Lifecycle implements Running {
  readonly #started: { readonly name: string; readonly part: Running }[] = [];
  readonly #log: Log;
  #stopping: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  add<T extends Running>(name: string, part: T): T {
    this.#started.push({ name, part });
    return part;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    for (const { name, part } of this.#started.toReversed()) {
      try {
        await part.stop();
      } catch (error) {
        this.#log.error({ part: name, reason: messageOf(error) }, "a part did not stop cleanly");
      }
    }
  }
}
