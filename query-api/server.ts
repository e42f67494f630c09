/** The query API's HTTP server. */
import { createServer } from "node:http";
import type { IngestAnswer } from "@callchain/schemas/api/catalog.ts";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import type { Address } from "@callchain/schemas/runtime/config.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { listen, urlOf } from "@callchain/schemas/runtime/listen.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { CallCounter, SpanImporter } from "@callchain/schemas/span/ports.ts";
import { buildApp } from "./app.ts";
import { routes } from "./routes/table.ts";

export interface QueryServerOptions {
  readonly address: Address;
  /** Opened as reader. Stays the caller's to close. */
  readonly database: SpanDatabase;
  /** The built page, or null to serve the API only. */
  readonly uiDir: string | null;
  /** What this process's receivers report. */
  readonly ingest: () => IngestAnswer;
  /** This process's receivers, or null where it has none. */
  readonly importer: SpanImporter | null;
  /** Who counts calls in this process; left out where nobody does. */
  readonly callCounter?: CallCounter;
  readonly metrics: Registry;
  readonly logger: Log;
  /** Host names, beside loopback names and plain IP addresses, under which browsers may reach us. */
  readonly allowedHosts?: readonly string[];
}

const STOP_GRACE_MS = 3000;
/** A file that is imported may be long; what else has a body is not waited for, see app.ts. */
const UPLOAD_MAX_MS = 3_600_000;

/** Rejects with a Failure that names the address when it is taken. `stop` cancels running questions and closes every connection. */
export async function startQueryServer(options: QueryServerOptions): Promise<Running & { readonly url: string }> {
  const stopping = new AbortController();
  const app = buildApp(routes, {
    ...options,
    callCounter: options.callCounter ?? null,
    allowedHosts: options.allowedHosts ?? [],
    stopping: stopping.signal,
  });
  const server = createServer(
    { requestTimeout: UPLOAD_MAX_MS, headersTimeout: 10_000, maxHeaderSize: 32_768 },
    (request, response) => {
      // A tail ends when the server stops; its connection would then be kept for the next question.
      response.once("finish", () => {
        if (stopping.signal.aborted) setImmediate(() => server.closeIdleConnections());
      });
      app(request, response);
    },
  );
  const address = await listen(server, options.address, "--query-address");
  return {
    url: urlOf(address),
    stop: () =>
      new Promise((resolve) => {
        stopping.abort();
        const cut = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
