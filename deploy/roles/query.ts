/** `query`: the query API and the page on ClickHouse. Keeps nothing; needs a user that may read only. */
import { NO_RECEIVERS } from "@callchain/query-api/routes/ingest.ts";
import { startQueryServer } from "@callchain/query-api/server.ts";
import { openDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { Lifecycle, type Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import { findPage } from "../page.ts";
import { refuseOpenAddresses } from "./open-listen.ts";
import { clickHouseAccessOf, type QueryConfig } from "./settings.ts";

/** Listens at once: while ClickHouse or its schema is away, questions and /ready answer 503. */
export async function startQuery(config: QueryConfig, logger: Log): Promise<Running & { readonly queryUrl: string }> {
  const { queryAddress, clickhouseUrl: url, clickhouseDatabase, allowedHosts } = config;
  refuseOpenAddresses({ queryAddress }, config.insecureListen);
  const parts = new Lifecycle(logger);
  const database = openDatabase({ url, database: clickhouseDatabase, ...clickHouseAccessOf(config), role: "reader" });
  parts.add("database", { stop: () => database.close() });
  try {
    const server = parts.add(
      "query",
      await startQueryServer({
        address: queryAddress,
        database,
        uiDir: findPage(),
        ingest: () => NO_RECEIVERS,
        importer: null,
        metrics: openMetrics(),
        logger: logger.child({ part: "query" }),
        allowedHosts,
      }),
    );
    return { queryUrl: server.url, stop: () => parts.stop() };
  } catch (error) {
    await parts.stop();
    throw error;
  }
}
