/** `/health`, `/ready` and `/metrics` of a role without an HTTP face of its own, on an address of its own. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { flagOf } from "@callchain/schemas/runtime/config.ts";
import type { Address } from "@callchain/schemas/runtime/config.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { listen, urlOf } from "@callchain/schemas/runtime/listen.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";

export interface StatusServerOptions {
  readonly address: Address;
  /** Resolves when the role can do its work now. What it rejects with goes to the log, not to the asker. */
  readonly ready: () => Promise<void>;
  readonly metrics: Registry;
  readonly logger: Log;
}

/** Probes that come faster share an answer. */
const READY_FRESH_MS = 500;

/** Rejects with a Failure that names the address when it is taken. */
export async function startStatusServer(options: StatusServerOptions): Promise<Running & { readonly url: string }> {
  const { metrics, logger } = options;
  const isReady = shareAnswers(options);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    answer(request, response, isReady, metrics).catch((error: unknown) => {
      logger.error({ path: request.url, reason: messageOf(error) }, "a status request could not be answered");
      response.destroy();
    });
  });
  const bound = await listen(server, options.address, flagOf("statusAddress"));
  return {
    url: urlOf(bound),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function shareAnswers({ ready, logger }: StatusServerOptions): () => Promise<boolean> {
  let asked: Promise<boolean> | null = null;
  let askedMs = -Infinity;
  let saidReason = "";
  const ask = async (): Promise<boolean> => {
    try {
      await ready();
      saidReason = "";
      return true;
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== saidReason) logger.warn({ reason }, "not ready");
      saidReason = reason;
      return false;
    }
  };
  return () => {
    if (asked === null || performance.now() - askedMs > READY_FRESH_MS) {
      askedMs = performance.now();
      asked = ask();
    }
    return asked;
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  isReady: () => Promise<boolean>,
  metrics: Registry,
): Promise<void> {
  const path = (request.url ?? "/").split("?")[0];
  if (request.method !== "GET" && request.method !== "HEAD") {
    sendJson(response, 405, { status: "error", detail: `${request.method} is not accepted here; GET and HEAD are` });
  } else if (path === "/health") {
    sendJson(response, 200, { status: "ok" });
  } else if (path === "/ready") {
    const ready = await isReady();
    sendJson(response, ready ? 200 : 503, { status: ready ? "ok" : "unavailable" });
  } else if (path === "/metrics") {
    const text = await metrics.metrics();
    response.writeHead(200, { "content-type": metrics.contentType, "cache-control": "no-store" }).end(text);
  } else {
    sendJson(response, 404, { status: "error", detail: "here are /health, /ready and /metrics" });
  }
}

function sendJson(response: ServerResponse, status: number, body: Readonly<Record<string, string>>): void {
  const headers = { "content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff" };
  response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
}
