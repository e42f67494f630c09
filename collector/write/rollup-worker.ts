/** The thread of rollup-thread.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { openDatabase, type DatabaseOptions } from "@callchain/schemas/clickhouse/database.ts";
import { startRollupBuilder } from "./rollup-builder.ts";

export interface RollupWorkerData {
  readonly databases: readonly DatabaseOptions[];
  readonly queryIdPrefix: string;
}

/** Null: a step was taken. */
export type RollupMessage =
  | { readonly code: string; readonly reason: string }
  | { readonly asked: number; readonly isCounted: boolean }
  | { readonly countedUntilMs: number }
  | null;

/** The wish to end, or the number of a question that waits for what is stored to be counted. */
export type RollupWish = "stop" | number;

// Written by rollup-thread.ts alone; a Buffer arrives as plain bytes.
const { databases: given, queryIdPrefix } = workerData as RollupWorkerData;
const databases = given.map(({ caPem, ...options }) =>
  openDatabase({ ...options, ...(caPem === undefined ? {} : { caPem: Buffer.from(caPem) }) }),
);
const tell = (message: RollupMessage): void => parentPort?.postMessage(message, []);
const builder = startRollupBuilder({
  databases,
  queryIdPrefix,
  report: { stepped: () => tell(null), counted: (countedUntilMs) => tell({ countedUntilMs }), failed: tell },
});

parentPort?.on("message", (wish: RollupWish) => void (wish === "stop" ? stop() : count(wish)));

async function count(asked: number): Promise<void> {
  tell({ asked, isCounted: await builder.countNow() });
}

async function stop(): Promise<void> {
  await builder.stop();
  for (const database of databases) await database.close();
  parentPort?.close();
}
