/** Whether the process lives, and whether it can answer. Opaque on purpose: reasons go to the log, figures to /metrics. */
import { HealthAnswer } from "@callchain/schemas/api/catalog.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { defineRoute } from "./route.ts";

const PING_TIMEOUT_MS = 2000;

export const getHealth = defineRoute({
  path: "/health",
  summary: "The process lives",
  params: {},
  answer: HealthAnswer,
  handle: () => Promise.resolve({ status: "ok" as const }),
});

export const getReady = defineRoute({
  path: "/ready",
  summary: "Questions can be answered: the database is reachable. 503 while it is not",
  params: {},
  answer: HealthAnswer,
  handle: async (_params, { database, logger }) => {
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Failure("timeout", "no answer to a ping")), PING_TIMEOUT_MS).unref();
    });
    try {
      await Promise.race([database.ping(), late]);
    } catch (error) {
      logger.warn({ reason: error instanceof Failure ? error.message : "unknown" }, "not ready: the database does not answer");
      throw new Failure("unavailable", "the database does not answer", { cause: error, retryAfterMs: 1000 });
    }
    return { status: "ok" as const };
  },
});
