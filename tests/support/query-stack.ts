/** A real ClickHouse with the schema and the query API's server over it, for tests that ask through HTTP. */
import { NO_RECEIVERS } from "@callchain/query-api/routes/ingest.ts";
import { startQueryServer } from "@callchain/query-api/server.ts";
import type { IngestAnswer } from "@callchain/schemas/api/catalog.ts";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { Lifecycle, type Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { startClickHouse } from "./clickhouse.ts";

export interface Reply {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: unknown;
}

export interface QueryStack extends Running {
  readonly url: string;
  /** Of the database, for others that open it. */
  readonly databaseUrl: string;
  readonly writer: SpanDatabase;
  readonly reader: SpanDatabase;
  /** Process id of ClickHouse; 0 while it is away. */
  enginePid(): number;
  /** GET under /api/v1 with these query parameters. */
  ask(path: string, params?: Readonly<Record<string, string | number | bigint>>): Promise<Reply>;
}

/**
 * Starts on free ports over a fresh directory; `stop` ends everything and removes it. A directory that is given stays. With `uiDir` the
 * server has the built page, too.
 */
export async function startQueryStack(
  ingest: () => IngestAnswer = () => NO_RECEIVERS,
  givenDir?: string,
  uiDir: string | null = null,
): Promise<QueryStack> {
  const logger = openLog("test", "silent");
  const parts = new Lifecycle(logger);
  const engine = parts.add("engine", await startClickHouse(givenDir));
  const writer = engine.open("writer");
  parts.add("writer", { stop: () => writer.close() });
  await migrate(writer, logger, { database: engine.database });
  const reader = engine.open("reader");
  parts.add("reader", { stop: () => reader.close() });
  const address = { host: "127.0.0.1", port: 0 };
  const options = { address, database: reader, uiDir, ingest, importer: null, metrics: new Registry(), logger };
  const server = parts.add("server", await startQueryServer(options));
  return {
    url: server.url,
    databaseUrl: engine.url,
    writer,
    reader,
    enginePid: () => engine.pid ?? 0,
    stop: () => parts.stop(),
    ask: async (path, params = {}) => {
      const query = new URLSearchParams(Object.entries(params).map(([name, value]): [string, string] => [name, String(value)]));
      const response = await fetch(`${server.url}/api/v1${path}?${query.toString()}`);
      return { status: response.status, body: await response.json() };
    },
  };
}
