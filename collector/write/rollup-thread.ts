/**
 * The builder of rollups on a thread of its own. Unpacking 100,000 spans and writing down what was counted take the event loop 100 ms and more at a
 * time: in the one of the receivers every hundredth acknowledgement waited for it, and every question that came then.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { DatabaseOptions } from "@callchain/schemas/clickhouse/database.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import type { CallCounter } from "@callchain/schemas/span/ports.ts";
import { openRollupReport, type RollupReport } from "./rollup-builder.ts";
import type { RollupMessage, RollupWish, RollupWorkerData } from "./rollup-worker.ts";

export interface RollupThreadOptions {
  /** With the role "writer"; the schema is migrated. Several are the shards of a cluster, each counted by itself. */
  readonly databases: readonly DatabaseOptions[];
  readonly metrics: Registry;
  readonly logger: Log;
  /** The same for all builders of a database, and different for databases that share a ClickHouse server. */
  readonly queryIdPrefix: string;
}

/** After a thread that ended by itself, which only a defect makes it. */
const RESTART_MS = 5_000;

export function startRollupThread({ databases, queryIdPrefix, metrics, logger }: RollupThreadOptions): Running & CallCounter {
  return new RollupThread({ databases, queryIdPrefix }, openRollupReport(metrics, logger));
}

class RollupThread implements Running, CallCounter {
  readonly #data: RollupWorkerData;
  readonly #report: RollupReport;
  #worker: Worker | null = null;
  #restart: NodeJS.Timeout | undefined;
  #isStopping = false;
  readonly #asked = new Map<number, (isCounted: boolean) => void>();
  #askedCount = 0;
  #countedUntilMs = 0;

  constructor(data: RollupWorkerData, report: RollupReport) {
    this.#data = data;
    this.#report = report;
    this.#start();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    const worker = this.#worker;
    if (worker === null) return;
    const ended = once(worker, "exit");
    send(worker, "stop");
    await ended;
  }

  get countedUntilMs(): number {
    return this.#countedUntilMs;
  }

  countNow(): Promise<boolean> {
    const worker = this.#worker;
    if (worker === null || this.#isStopping) return Promise.resolve(false);
    this.#askedCount += 1;
    const asked = this.#askedCount;
    return new Promise((resolve) => {
      this.#asked.set(asked, resolve);
      send(worker, asked);
    });
  }

  #start(): void {
    const worker = new Worker(new URL("./rollup-worker.ts", import.meta.url), { workerData: this.#data });
    this.#worker = worker;
    worker.on("message", (message: RollupMessage) => this.#hear(message));
    worker.on("error", (error: unknown) => this.#report.failed({ code: "internal", reason: messageOf(error) }));
    worker.on("exit", () => {
      this.#worker = null;
      this.#countedUntilMs = 0;
      for (const tell of this.#asked.values()) tell(false);
      this.#asked.clear();
      if (!this.#isStopping) this.#restart = setTimeout(() => this.#start(), RESTART_MS);
    });
  }

  #hear(message: RollupMessage): void {
    if (message === null) return this.#report.stepped();
    if ("code" in message) return this.#report.failed(message);
    if ("countedUntilMs" in message) {
      this.#countedUntilMs = message.countedUntilMs;
      return;
    }
    this.#asked.get(message.asked)?.(message.isCounted);
    this.#asked.delete(message.asked);
  }
}

function send(worker: Worker, wish: RollupWish): void {
  worker.postMessage(wish, []);
}
