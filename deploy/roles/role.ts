/**
 * The frame of a role: its status server answers from the first moment, its parts open behind it as soon as what they need is there, and
 * all of it stops in reverse.
 *
 *   status server (/ready 503) -> wait for Kafka, ClickHouse, schema -> parts -> /ready 200
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Address } from "@callchain/schemas/runtime/config.ts";
import { Lifecycle } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { Failure, failureCodeOf, messageOf } from "@callchain/schemas/span/errors.ts";
import { startStatusServer } from "./status-server.ts";

export interface Role extends Running {
  /** Resolves when the parts are open; stays pending where they never are. */
  readonly opened: Promise<void>;
  /** Rejects when the role cannot go on, with what waiting cannot mend; the process should end. Never resolves. */
  readonly failed: Promise<never>;
}

export interface RoleOptions {
  readonly statusAddress: Address;
  /** Rejects while something that the open role needs is away. */
  readonly check: () => Promise<void>;
  /** Opens the parts, adding each to the lifecycle. `fail` may be called later, by a part that cannot go on. */
  readonly open: (parts: Lifecycle, context: OpenContext) => Promise<void>;
  readonly metrics: Registry;
  readonly logger: Log;
}

export interface OpenContext {
  /** Aborts when the role is stopped before it has opened. */
  readonly signal: AbortSignal;
  readonly fail: (error: unknown) => void;
}

/** Resolves when the status server listens. Rejects with a Failure that names its address when it is taken. */
export async function startRole(options: RoleOptions): Promise<Role & { readonly statusUrl: string }> {
  const { statusAddress, check, open, metrics, logger } = options;
  const parts = new Lifecycle(logger);
  const stopping = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const opened = Promise.withResolvers<void>();
  let isOpen = false;
  const ready = async (): Promise<void> => {
    if (!isOpen) throw new Failure("unavailable", "the role is not open yet");
    await check();
  };
  const status = parts.add("status", await startStatusServer({ address: statusAddress, ready, metrics, logger }));
  const openParts = async (): Promise<void> => {
    try {
      await open(parts, { signal: stopping.signal, fail: (error) => failed.reject(error) });
      isOpen = true;
      opened.resolve();
    } catch (error) {
      if (!stopping.signal.aborted) failed.reject(error);
    }
  };
  const opening = openParts();
  return {
    statusUrl: status.url,
    opened: opened.promise,
    failed: failed.promise,
    stop: async () => {
      isOpen = false;
      stopping.abort();
      await opening;
      await parts.stop();
    },
  };
}

const WAIT_FIRST_MS = 250;
const WAIT_MAX_MS = 5_000;
const SAY_EVERY_MS = 30_000;

/** What passes by itself, or when an operator has done something elsewhere. */
const PASSING: ReadonlySet<string> = new Set(["unavailable", "timeout", "overloaded", "not_found"]);

/**
 * Tries until it succeeds, saying at once and then every 30 s what it waits for. Rejects with what waiting cannot mend, and when the
 * signal aborts.
 */
export async function untilAvailable<T>(
  what: string,
  attempt: () => Promise<T>,
  { logger, signal }: { readonly logger: Log; readonly signal: AbortSignal },
): Promise<T> {
  let saidMs = -Infinity;
  let saidReason = "";
  for (let waitMs = WAIT_FIRST_MS; ; waitMs = Math.min(waitMs * 2, WAIT_MAX_MS)) {
    signal.throwIfAborted();
    try {
      const result = await attempt();
      if (saidReason !== "") logger.info(`${what} is there`);
      return result;
    } catch (error) {
      if (!PASSING.has(failureCodeOf(error))) throw error;
      const reason = messageOf(error);
      if (reason !== saidReason || performance.now() - saidMs > SAY_EVERY_MS) {
        logger.warn({ reason }, `waiting for ${what}`);
        saidMs = performance.now();
        saidReason = reason;
      }
    }
    await delay(waitMs, undefined, { signal });
  }
}
