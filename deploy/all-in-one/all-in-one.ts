/**
 * The all-in-one: the same parts as the distributed mode, with the local log in Kafka's place and the embedded engine in ClickHouse's.
 *
 *   receivers -> local log -> writer -> embedded engine <- query API <- page
 *
 * Parts start from the engine up and stop in reverse: the faces first, then the writer, which stores what was accepted; the engine last.
 */
import { join } from "node:path";
import { openLocalLog } from "@callchain/collector/log/local/local-log.ts";
import { startReceivers } from "@callchain/collector/receive/receivers.ts";
import { BUSY_SPANS_PER_SECOND } from "@callchain/collector/write/edge-pace.ts";
import { startRollupThread } from "@callchain/collector/write/rollup-thread.ts";
import { startWriter } from "@callchain/collector/write/writer.ts";
import { startQueryServer } from "@callchain/query-api/server.ts";
import { openDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { flagOf } from "@callchain/schemas/runtime/config.ts";
import { lockDirectory } from "@callchain/schemas/runtime/directory-lock.ts";
import { Lifecycle } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import { startEmbeddedClickHouse } from "../embedded-clickhouse/supervisor.ts";
import { findPage } from "../page.ts";
import { refuseOpenAddresses } from "../roles/open-listen.ts";
import type { AllInOneConfig } from "./settings.ts";

export interface AllInOne extends Running {
  readonly queryUrl: string;
  readonly otlpHttpUrl: string;
  readonly otlpGrpcUrl: string;
  readonly engineUrl: string;
}

/** Rejects with a Failure that names the port, directory or part that could not be had; what had started by then is stopped. */
export async function startAllInOne(config: AllInOneConfig, log: Log): Promise<AllInOne> {
  const { queryAddress, otlpHttpAddress, otlpGrpcAddress } = config;
  refuseOpenAddresses({ queryAddress, otlpHttpAddress, otlpGrpcAddress }, config.insecureListen);
  const lifecycle = new Lifecycle(log);
  try {
    const urls = await startParts(config, log, lifecycle);
    return { ...urls, stop: () => lifecycle.stop() };
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}

async function startParts(config: AllInOneConfig, log: Log, lifecycle: Lifecycle): Promise<Omit<AllInOne, "stop">> {
  const lock = lockDirectory(config.dataDir, flagOf("dataDir"));
  lifecycle.add("data directory", { stop: () => Promise.resolve(lock.release()) });
  const metrics = openMetrics();
  const engine = lifecycle.add(
    "engine",
    await startEmbeddedClickHouse({
      dataDir: join(config.dataDir, "clickhouse"),
      address: config.engineAddress,
      log: log.child({ part: "engine" }),
    }),
  );
  const writing = { url: engine.url, role: "writer", bodyDir: engine.bodyDir } as const;
  const writerDatabase = openDatabase(writing);
  lifecycle.add("writer's database", { stop: () => writerDatabase.close() });
  await migrate(writerDatabase, log, config.retentionDays === null ? {} : { retention: config.retentionDays });
  const spanLog = lifecycle.add(
    "log",
    await openLocalLog({
      dir: join(config.dataDir, "log"),
      capBytes: config.logMaxBytes,
      logger: log.child({ part: "log" }),
      metrics,
    }),
  );
  lifecycle.add(
    "writer",
    startWriter({ log: spanLog, database: writerDatabase, metrics, logger: log.child({ part: "writer" }) }),
  );
  const rollups = lifecycle.add(
    "rollups",
    startRollupThread({
      databases: [writing],
      metrics,
      logger: log.child({ part: "rollups" }),
      queryIdPrefix: "callchain-rollup",
    }),
  );
  const receivers = lifecycle.add(
    "receivers",
    await startReceivers({
      httpAddress: config.otlpHttpAddress,
      grpcAddress: config.otlpGrpcAddress,
      log: spanLog,
      limits: { requestMaxBytes: config.requestMaxBytes, inFlightMaxBytes: config.inFlightMaxBytes },
      corsOrigins: config.corsOrigins,
      metrics,
      logger: log.child({ part: "receive" }),
    }),
  );
  const isIngestCalm = (): boolean => receivers.arrivalsPerSecond() <= BUSY_SPANS_PER_SECOND;
  const readerDatabase = openDatabase({ url: engine.url, role: "reader", isIngestCalm });
  lifecycle.add("reader's database", { stop: () => readerDatabase.close() });
  const query = lifecycle.add(
    "query",
    await startQueryServer({
      address: config.queryAddress,
      database: readerDatabase,
      uiDir: findPage(),
      ingest: () => ({ otlpHttpUrl: receivers.httpUrl, otlpGrpcUrl: receivers.grpcUrl, ...receivers.report() }),
      importer: receivers,
      callCounter: rollups,
      metrics,
      logger: log.child({ part: "query" }),
      allowedHosts: config.allowedHosts,
    }),
  );
  return { queryUrl: query.url, otlpHttpUrl: receivers.httpUrl, otlpGrpcUrl: receivers.grpcUrl, engineUrl: engine.url };
}
