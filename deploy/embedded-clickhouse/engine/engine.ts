/** The engine of one data directory: statements in, answers out. One instance per process. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { engineErrorOf, EngineError, ERROR } from "./errors.ts";
import { FifoPool, openFifo } from "./fifos.ts";
import { Gate } from "./gate.ts";
import { stringLiteral } from "./literal.ts";
import { loadNative, type NativeBinding, type NativeConnection } from "./native.ts";
import { describeHolder } from "./holder.ts";
import { ID_SETTING, serverConfig, type EngineLimits } from "./server-config.ts";
import { Sessions, type Session } from "./sessions.ts";
import { Spool, spoolDirOf } from "./spool.ts";

/** Statements of one class wait for each other and for no other class: readers never hold up an insert. */
export type StatementClass = "read" | "insert" | "change" | "control";

export interface StatementContext extends Session {
  /** Aborting kills the statement. */
  readonly signal: AbortSignal;
}

export interface EngineAnswer {
  readonly bytes: Uint8Array;
  readonly elapsedMs: number;
  /** Rows of the answer, or rows written by INSERT ... FROM INFILE. */
  readonly rowCount: number;
}

export interface StreamedAnswer {
  /** Must be read to its end or destroyed through the context's signal. Ends when the statement has ended, well or not. */
  readonly stream: Readable;
  /** Settles when the statement has ended; rejects with EngineError. */
  readonly done: Promise<EngineAnswer>;
}

const STREAMS_MAX = 12;
const WAITING_MAX = 128;
const CANCEL_RETRY_MS = 25;
const CANCEL_RETRY_MAX_MS = 1000;

export class Engine {
  readonly version: string;
  readonly timezone: string;
  readonly spool: Spool;
  readonly #log: Log;
  readonly #native: NativeBinding;
  readonly #sessions: Sessions;
  readonly #fifos: FifoPool;
  readonly #gates: Readonly<Record<StatementClass, Gate>>;
  readonly #running = new Map<string, AbortController>();
  /** Keeps the engine open: closing the last connection ends it. */
  readonly #anchor: NativeConnection;

  constructor(dataDir: string, limits: EngineLimits, log: Log) {
    this.#log = log;
    const dir = join(dataDir, "clickhouse");
    const ownDir = join(dataDir, "engine");
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    mkdirSync(ownDir, { recursive: true, mode: 0o700 });
    const configPath = join(ownDir, `config-${process.pid}.xml`);
    writeFileSync(configPath, serverConfig(limits));
    const args = [`--config-file=${configPath}`];
    this.#native = loadNative();
    try {
      this.#anchor = this.#native.CreateConnection(dir, args);
    } catch (error) {
      throw new Error(describeHolder(dataDir, error), { cause: error });
    } finally {
      rmSync(configPath);
    }
    this.#sessions = new Sessions(this.#native, dir, args);
    // From here on the directory is ours: what an earlier process left can go.
    const pipes = join(ownDir, "pipes");
    rmSync(pipes, { recursive: true, force: true });
    this.#fifos = new FifoPool(pipes, STREAMS_MAX);
    this.spool = new Spool(spoolDirOf(dataDir), limits.bodyBytesMax);
    const facts = this.#native.QueryWithConnection(this.#anchor, "SELECT version(), timezone()", "TSV").trim().split("\t");
    this.version = facts[0] ?? "";
    this.timezone = facts[1] ?? "UTC";
    this.#gates = {
      read: new Gate("read", STREAMS_MAX, WAITING_MAX),
      insert: new Gate("insert", 4, WAITING_MAX),
      change: new Gate("change", 2, WAITING_MAX),
      control: new Gate("control", 2, WAITING_MAX),
    };
  }

  /** Runs one statement and returns its whole answer. Rejects with EngineError. */
  run(sql: string, statementClass: StatementClass, context: StatementContext): Promise<EngineAnswer> {
    return this.#admit(statementClass, context, (signal) => this.#call(sql, statementClass, context, signal));
  }

  /**
   * Runs a SELECT whose text is given in two parts; ` INTO OUTFILE ...` goes between them. Resolves once it has been admitted.
   */
  async stream(before: string, after: string, context: StatementContext): Promise<StreamedAnswer> {
    let started: ((answer: StreamedAnswer) => void) | undefined;
    const answer = new Promise<StreamedAnswer>((resolve) => {
      started = resolve;
    });
    const admitted = this.#admit("read", context, async (signal) => {
      const fifo = this.#fifos.take();
      const reader = openFifo(fifo);
      const gone = new Promise<void>((resolve) => reader.stream.once("close", () => resolve()));
      const done = this.#call(
        `${before} INTO OUTFILE ${stringLiteral(fifo.path)} TRUNCATE ${after}`,
        "read",
        context,
        signal,
      ).finally(reader.finish);
      started?.({ stream: reader.stream, done });
      await done.catch(() => undefined);
      // Whatever is left unread would reach the next user of the pipe.
      await gone;
      this.#fifos.give(fifo);
    });
    return await Promise.race([answer, admitted.then(() => answer)]);
  }

  /** Ends a statement of this server. Returns whether there was one of that id. */
  kill(queryId: string): boolean {
    const running = this.#running.get(queryId);
    running?.abort();
    return running !== undefined;
  }

  /** Kills what runs, waits for it, closes. */
  async close(): Promise<void> {
    for (const running of this.#running.values()) running.abort();
    while (this.#running.size > 0) await delay(CANCEL_RETRY_MS);
    this.#sessions.close();
    this.#native.CloseConnection(this.#anchor);
  }

  async #admit<T>(
    statementClass: StatementClass,
    context: StatementContext,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#running.has(context.queryId)) {
      throw new EngineError(
        ERROR.QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
        `Query with id = ${context.queryId} is already running.`,
      );
    }
    const killer = new AbortController();
    this.#running.set(context.queryId, killer);
    const signal = AbortSignal.any([killer.signal, context.signal]);
    try {
      const leave = await this.#gates[statementClass].enter(signal);
      const ended = new AbortController();
      const kills: Promise<void>[] = [];
      const cancel = (): void => void kills.push(this.#cancel(context.queryId, ended.signal));
      signal.addEventListener("abort", cancel, { once: true });
      try {
        return await work(signal);
      } finally {
        signal.removeEventListener("abort", cancel);
        ended.abort();
        // The id is free only now: a late kill would hit the next statement of this id.
        await Promise.all(kills);
        leave();
      }
    } finally {
      this.#running.delete(context.queryId);
    }
  }

  async #call(sql: string, statementClass: StatementClass, session: Session, signal: AbortSignal): Promise<EngineAnswer> {
    const began = performance.now();
    const result = await (statementClass === "read"
      ? this.#sessions.read(sql, session, signal)
      : this.#sessions.run(sql, session));
    return { bytes: result.bytes, elapsedMs: performance.now() - began, rowCount: result.rowsRead };
  }

  /** Asks the engine to kill a statement until it has ended: right after its start the engine does not list it yet. */
  async #cancel(queryId: string, ended: AbortSignal): Promise<void> {
    const kill = `KILL QUERY WHERE Settings['${ID_SETTING}'] = ${stringLiteral(queryId)} ASYNC`;
    for (let waitMs = CANCEL_RETRY_MS; !ended.aborted; waitMs = Math.min(waitMs * 2, CANCEL_RETRY_MAX_MS)) {
      try {
        await this.#sessions.control(kill);
      } catch (error) {
        this.#log.warn({ queryId, reason: engineErrorOf(error).text }, "a statement could not be killed yet");
      }
      await delay(waitMs, undefined, { signal: ended }).catch(() => undefined);
    }
  }
}
