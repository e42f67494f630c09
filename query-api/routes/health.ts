/** Whether the process lives, and whether it can answer. Opaque on purpose: reasons go to the log, figures to /metrics. */
import { HealthAnswer } from "@callchain/schemas/api/catalog.ts";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import { defineRoute } from "./route.ts";

const READY_TIMEOUT_MS = 2000;

export const getHealth = defineRoute({
  path: "/health",
  summary: "The process lives",
  params: {},
  answer: HealthAnswer,
  handle: () => Promise.resolve({ status: "ok" as const }),
});

export const getReady = defineRoute({
  path: "/ready",
  summary: "Questions can be answered: database and schema are there. 503 while they are not",
  params: {},
  answer: HealthAnswer,
  handle: async (_params, { database, logger, signal }) => {
    try {
      // More than a ping: the credentials hold, and there is something to ask.
      await database.query("SELECT 1 FROM spans LIMIT 0", { timeoutMs: READY_TIMEOUT_MS, signal });
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, "not ready");
      throw new Failure("unavailable", "questions cannot be answered now", { cause: error, retryAfterMs: 1000 });
    }
    return { status: "ok" as const };
  },
});
