/** Keeps the embedded engine running as a child process: starts it, restarts it after a crash on the same port, stops it. */
import { fork, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import type { Address } from "@callchain/schemas/runtime/config.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { spoolDirOf } from "./engine/spool.ts";

export interface EmbeddedClickHouseOptions {
  readonly dataDir: string;
  /** A loopback address; port 0 takes a free one, which restarts then keep. */
  readonly address: Address;
  readonly log: Log;
  readonly memoryBytesMax?: number;
  readonly bodyBytesMax?: number;
}

export interface EmbeddedClickHouse extends Running {
  /** `http://127.0.0.1:8123`, the same after every restart. */
  readonly url: string;
  /** Whether the engine answers now; false between a crash and the restart. */
  readonly isReady: boolean;
  /** Process id of the running engine, null between a crash and the restart. */
  readonly pid: number | null;
  readonly restartCount: number;
  /** Where bodies of inserts may be laid for it, as files (`bodyDir` of a database). */
  readonly bodyDir: string;
}

/** One thread per running statement, and some for files: libuv's default of 4 would let four queries stop everything. */
const POOL_THREADS = 40;
const READY_MS = 60_000;
const STOP_MS = 15_000;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 15_000;
const SAID_LINES_MAX = 20;
/** A child that ran this long has earned a quick restart. */
const STEADY_MS = 60_000;

/**
 * Resolves when the engine answers. Rejects with Failure "unavailable" when it cannot start: the directory is held by another engine
 * (the message names its process and address), the port is taken, the platform has no chDB.
 */
export async function startEmbeddedClickHouse(options: EmbeddedClickHouseOptions): Promise<EmbeddedClickHouse> {
  const supervisor = new Supervisor(options);
  await supervisor.start();
  return supervisor;
}

class Supervisor implements EmbeddedClickHouse {
  url = "";
  isReady = false;
  restartCount = 0;
  readonly #options: EmbeddedClickHouseOptions;
  readonly #stopping = new AbortController();
  readonly bodyDir: string;
  #child: ChildProcess | null = null;
  #port: number;
  #watching: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedClickHouseOptions) {
    this.#options = options;
    this.bodyDir = spoolDirOf(options.dataDir);
    this.#port = options.address.port;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async start(): Promise<void> {
    const { exited } = await this.#spawn();
    this.#watching = this.#watch(exited);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child !== null) {
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await this.#watching;
      clearTimeout(killer);
    }
    await this.#watching;
  }

  /** Restarts the child whenever it ends, until stopped. */
  async #watch(firstExit: Promise<string>): Promise<void> {
    const { log } = this.#options;
    let exited: Promise<string> | null = firstExit;
    let backoffMs = BACKOFF_MIN_MS;
    let startedAt = Date.now();
    while (true) {
      if (exited !== null) {
        const reason = await exited;
        this.isReady = false;
        this.#child = null;
        if (this.#stopping.signal.aborted) return;
        if (Date.now() - startedAt > STEADY_MS) backoffMs = BACKOFF_MIN_MS;
        log.error({ reason, restartInMs: backoffMs }, "the embedded engine ended and is started again");
      }
      await delay(backoffMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      if (this.#stopping.signal.aborted) return;
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      startedAt = Date.now();
      this.restartCount += 1;
      try {
        exited = (await this.#spawn()).exited;
      } catch (error) {
        exited = null;
        log.error(
          { reason: error instanceof Error ? error.message : String(error), retryInMs: backoffMs },
          "the embedded engine did not start",
        );
      }
    }
  }

  /** Resolves when the child is ready, with a promise of its end; rejects when it ends or hangs before. */
  async #spawn(): Promise<{ readonly exited: Promise<string> }> {
    const { dataDir, address, memoryBytesMax, bodyBytesMax } = this.#options;
    const host = address.host.includes(":") ? `[${address.host}]` : address.host;
    const args = [`--data-dir=${dataDir}`, `--engine-address=${host}:${this.#port}`];
    if (memoryBytesMax !== undefined) args.push(`--memory-max=${memoryBytesMax}`);
    if (bodyBytesMax !== undefined) args.push(`--body-max=${bodyBytesMax}`);
    const child = fork(fileURLToPath(new URL("main.ts", import.meta.url)), args, {
      // libuv reads its pool size once, before any code of the child runs.
      env: { ...processEnvironment(), UV_THREADPOOL_SIZE: String(POOL_THREADS) },
      // What the parent was started with (a test runner, an inspector) is not for the child.
      execArgv: [],
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    this.#child = child;
    const said: string[] = [];
    if (child.stderr !== null) {
      createInterface(child.stderr).on("line", (line) => {
        if (said.push(line) > SAID_LINES_MAX) said.shift();
        forwardLine(this.#options.log, line);
      });
    }
    const exited = new Promise<string>((resolve) => {
      // "close" comes after everything it wrote has been read.
      child.once("close", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
      child.once("error", (error) => resolve(error.message));
    });
    const ready = new Promise<string>((resolve) => {
      child.once("message", (message) => {
        if (typeof message === "object" && "ready" in message && typeof message.ready === "string") resolve(message.ready);
      });
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS);
    const url = await Promise.race([ready, exited.then(() => null)]);
    clearTimeout(timer);
    if (url === null) {
      const reason = await exited;
      throw new Failure("unavailable", `the embedded engine did not start (${reason}): ${said.at(-1) ?? "it said nothing"}`);
    }
    this.url = url;
    this.#port = Number(new URL(url).port);
    this.isReady = true;
    return { exited };
  }
}

/** The child writes a log of its own, one JSON object a line; what native code says comes as plain text. */
function forwardLine(log: Log, line: string): void {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    // Not an entry of the log.
    entry = null;
  }
  if (typeof entry !== "object" || entry === null || !("msg" in entry) || !("level" in entry)) {
    log.warn({ line }, "the embedded engine wrote");
    return;
  }
  const { level, msg, time: _time, part: _part, ...fields } = entry as Record<string, unknown>; // an object, as just seen
  log[LEVELS.find(([least]) => Number(level) >= least)?.[1] ?? "debug"](fields, String(msg));
}

/** Levels of pino. */
const LEVELS = [
  [50, "error"],
  [40, "warn"],
  [30, "info"],
] as const;

function processEnvironment(): NodeJS.ProcessEnv {
  // oxlint-disable-next-line node/no-process-env -- handed on to the child unread
  return process.env;
}
