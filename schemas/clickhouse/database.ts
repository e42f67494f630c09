/**
 * The one door to ClickHouse: everything above speaks SQL text with bound parameters through a SpanDatabase, whether a server or
 * the embedded engine answers at the URL. Protocol: ClickHouse's HTTP interface, through @clickhouse/client.
 */
import { Agent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { Readable, finished } from "node:stream";
import { ClickHouseLogLevel, createClient, type ClickHouseClient, type ClickHouseSettings } from "@clickhouse/client";
import { Failure } from "../span/errors.ts";
import { BODY_FILE_PARAMETER, writeBodyFile } from "./body-file.ts";
import { classifyDatabaseError } from "./errors.ts";
import { blockRowsFor } from "./slow-patterns.ts";

export interface QueryOptions {
  /** Bound by the server: `{x:UInt8}` in the SQL takes `params.x`. Values never become part of the SQL text. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Aborting stops the statement on the server too; the promise then rejects with Failure "timeout". */
  readonly signal?: AbortSignal;
  readonly settings?: Readonly<Record<string, string | number>>;
  /** A second statement under an id that is still running is refused ("unavailable", ClickHouse error 216). */
  readonly queryId?: string;
  /** Fallback: 30 s for questions, 5 min for inserts and commands. Enforced by the server, and a little later here. */
  readonly timeoutMs?: number;
}

/** What a question read, for the page to show. */
export interface ScanFigures {
  readonly rows: number;
  readonly bytes: number;
  readonly elapsedMs: number;
}

export interface QueryAnswer<T> {
  readonly rows: T[];
  readonly scan: ScanFigures;
}

/** Every method rejects with a Failure (see errors.ts); `clickHouseCodeOf` gives ClickHouse's own code where it answered one. */
export interface SpanDatabase {
  /** Runs a SELECT without FORMAT clause. Rows are objects by column name; 64-bit integers arrive as strings, NaN and infinities as null. */
  query<T>(sql: string, options?: QueryOptions): Promise<QueryAnswer<T>>;
  /** Runs a SELECT that ends in a FORMAT clause; the bytes as they come. Ending the iteration early stops the statement. */
  stream(sql: string, options?: QueryOptions): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Runs an INSERT that ends in a FORMAT clause, with the body's buffers one after the other. On resolution the rows are stored (and
   * synced where the settings say so). On rejection they may be stored or not: read back before trying again. The buffers must not
   * change until the promise settles.
   */
  insert(sql: string, body: readonly Uint8Array[], options?: QueryOptions): Promise<void>;
  /** Runs a statement that answers nothing (DDL). */
  command(sql: string, options?: QueryOptions): Promise<void>;
  /** Resolves when the server answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Where unqualified names are looked up; left out, the user's own default database. */
  readonly database?: string;
  /** PEM of the authorities that an https server is checked against, in place of Node's own. */
  readonly caPem?: Buffer;
  readonly username?: string;
  readonly password?: string;
  /** A reader cannot write, and is held to limits of time, memory and result; the server's own profile may be narrower. */
  readonly role: "reader" | "writer";
  readonly connectionsMax?: number;
  /** A directory that ClickHouse takes bodies of inserts from (the embedded engine's); left out, they go over the connection. */
  readonly bodyDir?: string;
  /** A reader's: whether so little arrives that answers may rank with it. Left out, they stand back. */
  readonly isIngestCalm?: () => boolean;
}

const QUERY_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = 300_000;
/** Below what servers keep an idle connection for (ClickHouse 3 s and more). */
const IDLE_CONNECTION_MS = 2_500;
const CONNECTIONS_MAX = 10;
/** The server's own limit is 262,144 bytes. */
const USUAL_SQL_CHARS = 60_000;
/** The client's own limit lies past the server's, so that normally the server says why. */
const GRACE_MS = 2_000;

/** Readers: readonly=2 forbids every write and DDL but lets the limits below be sent; a closed connection stops the statement. */
const READER_SETTINGS: ClickHouseSettings = {
  readonly: "2",
  cancel_http_readonly_queries_on_client_close: 1,
  max_result_rows: "5000000",
  max_memory_usage: "600000000",
  max_bytes_before_external_group_by: "200000000",
  max_bytes_before_external_sort: "200000000",
  max_threads: 2,
  /** The filters of granules are asked before anything is read. Along with the reading costs a third more, and pays only where it stops early. */
  use_skip_indexes_on_data_read: 0,
  /** Compiling a statement to machine code takes longer, 100 ms at its third time, than most ever gain. */
  compile_expressions: 0,
  compile_aggregate_expressions: 0,
  compile_sort_description: 0,
  /** On a cluster a sub-select over the Distributed face is answered once, for all shards (schema-layout.ts). */
  distributed_product_mode: "global",
};

/**
 * Threads that answer stand back behind receivers, inserts and merges; where the server may not set that, it has no effect. Few of them while
 * ingest is calm do not: behind merges the slowest answers take 1.1 to 1.4 times as long. (The name of the setting that older servers know too.)
 */
const STANDING_BACK: ClickHouseSettings = { os_thread_priority: "10" };
const PROMPT_STATEMENTS_MAX = 6;

const ROW_SETTINGS: ClickHouseSettings = {
  /** An error after the first rows must not look like a short answer. */
  wait_end_of_query: 1,
  /** An answer held whole has its bounds, and threads to format it would cost more than they save. */
  max_result_bytes: "200000000",
  output_format_parallel_formatting: 0,
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 0,
};

/** Opens no connection yet: a server that is away shows at the first statement. */
export function openDatabase(options: DatabaseOptions): SpanDatabase {
  return new HttpDatabase(options);
}

interface JsonAnswer<T> {
  readonly data: T[];
  readonly statistics?: { readonly elapsed: number; readonly rows_read: number; readonly bytes_read: number };
}

class HttpDatabase implements SpanDatabase {
  readonly #client: ClickHouseClient;
  readonly #address: string;
  readonly #bodyDir: string | null;
  readonly #isReader: boolean;
  readonly #isIngestCalm: () => boolean;
  #runningCount = 0;

  constructor(options: DatabaseOptions) {
    const url = new URL(options.url);
    this.#address = url.origin;
    this.#bodyDir = options.bodyDir ?? null;
    this.#isReader = options.role === "reader";
    this.#isIngestCalm = options.isIngestCalm ?? (() => false);
    this.#client = createClient({
      url,
      ...(options.database === undefined ? {} : { database: options.database }),
      http_agent: openAgent(url, options),
      keep_alive: { enabled: true, idle_socket_ttl: 0 },
      ...(options.username === undefined ? {} : { username: options.username }),
      ...(options.password === undefined ? {} : { password: options.password }),
      application: "callchain",
      request_timeout: 24 * 3_600_000,
      clickhouse_settings: options.role === "reader" ? READER_SETTINGS : { async_insert: 0 },
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  async query<T>(sql: string, options: QueryOptions = {}): Promise<QueryAnswer<T>> {
    const startedMs = performance.now();
    const answer = await this.#run(options, QUERY_TIMEOUT_MS, async (shared) => {
      const result = await this.#client.query({
        ...shared,
        query: sql,
        format: "JSON",
        clickhouse_settings: { ...ROW_SETTINGS, ...this.#bounds(sql), ...shared.clickhouse_settings },
      });
      // The caller's own SELECT list decides T; ClickHouse's JSON format decides the rest.
      return (await result.json()) as unknown as JsonAnswer<T>;
    });
    const elapsedMs = performance.now() - startedMs;
    const statistics = answer.statistics;
    return {
      rows: answer.data,
      scan: { rows: statistics?.rows_read ?? 0, bytes: statistics?.bytes_read ?? 0, elapsedMs },
    };
  }

  async stream(sql: string, options: QueryOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    const result = await this.#run(options, QUERY_TIMEOUT_MS, (shared) =>
      this.#client.exec({
        ...shared,
        query: sql,
        clickhouse_settings: { ...this.#bounds(sql), ...shared.clickhouse_settings },
      }),
    );
    this.#runningCount += 1;
    finished(result.stream, () => {
      this.#runningCount -= 1;
    });
    return this.#chunks(result.stream, options);
  }

  async insert(sql: string, body: readonly Uint8Array[], options: QueryOptions = {}): Promise<void> {
    if (this.#bodyDir !== null) return this.#insertFile(this.#bodyDir, sql, body, options);
    await this.#run(options, COMMAND_TIMEOUT_MS, async (shared) => {
      const result = await this.#client.exec({ ...shared, query: sql, values: Readable.from(body) });
      for await (const chunk of result.stream) void chunk;
    });
  }

  async #insertFile(dir: string, sql: string, body: readonly Uint8Array[], options: QueryOptions): Promise<void> {
    const file = await writeBodyFile(dir, body);
    try {
      await this.command(sql, { ...options, settings: { ...options.settings, [BODY_FILE_PARAMETER]: file.name } });
    } finally {
      await file.remove();
    }
  }

  async command(sql: string, options: QueryOptions = {}): Promise<void> {
    await this.#run(options, COMMAND_TIMEOUT_MS, (shared) => this.#client.command({ ...shared, query: sql }));
  }

  async ping(): Promise<void> {
    const answer = await this.#client.ping();
    if (!answer.success) throw classifyDatabaseError(answer.error, this.#address);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #bounds(sql: string): ClickHouseSettings {
    const blockRows = this.#isReader ? blockRowsFor(sql) : null;
    return {
      ...(blockRows === null ? {} : { max_block_size: String(blockRows), max_threads: 1 }),
      ...(sql.length < USUAL_SQL_CHARS ? {} : { max_query_size: String(4 * sql.length) }),
    };
  }

  async #run<T>(options: QueryOptions, fallbackMs: number, send: (shared: SharedOptions) => Promise<T>): Promise<T> {
    const timeoutMs = options.timeoutMs ?? fallbackMs;
    if (options.signal?.aborted === true) throw cancelled(options.signal);
    const deadline = AbortSignal.timeout(timeoutMs + GRACE_MS);
    this.#runningCount += 1;
    const isPrompt = !this.#isReader || (this.#runningCount <= PROMPT_STATEMENTS_MAX && this.#isIngestCalm());
    try {
      return await send({
        abort_signal: options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]),
        clickhouse_settings: {
          max_execution_time: Math.ceil(timeoutMs / 1000),
          ...(isPrompt ? {} : STANDING_BACK),
          ...options.settings,
        },
        ...(options.params === undefined ? {} : { query_params: { ...options.params } }),
        ...(options.queryId === undefined ? {} : { query_id: options.queryId }),
      });
    } catch (error) {
      throw this.#classify(error, options, deadline, timeoutMs);
    } finally {
      this.#runningCount -= 1;
    }
  }

  #classify(error: unknown, options: QueryOptions, deadline: AbortSignal, timeoutMs: number): Failure {
    if (options.signal?.aborted === true) return cancelled(options.signal, error);
    if (deadline.aborted) {
      return new Failure("timeout", `ClickHouse at ${this.#address} did not answer within ${timeoutMs} ms`, { cause: error });
    }
    return classifyDatabaseError(error, this.#address);
  }

  async *#chunks(stream: Readable, options: QueryOptions): AsyncGenerator<Uint8Array> {
    const onAbort = (): void => {
      stream.destroy();
    };
    options.signal?.addEventListener("abort", onAbort, { once: true });
    if (options.signal?.aborted === true) onAbort();
    try {
      for await (const chunk of stream) yield chunk as Uint8Array; // an exec stream is binary
    } catch (error) {
      throw options.signal?.aborted === true ? cancelled(options.signal, error) : classifyDatabaseError(error, this.#address);
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
      stream.destroy();
    }
  }
}

/**
 * Node's own pool closes idle connections. The client's timers for that outlive a reuse when a request is aborted before it has its
 * connection, and then cut off whichever statement runs on it ("socket hang up").
 */
function openAgent(url: URL, { caPem, connectionsMax }: DatabaseOptions): Agent {
  const shared = { keepAlive: true, timeout: IDLE_CONNECTION_MS, maxSockets: connectionsMax ?? CONNECTIONS_MAX };
  return url.protocol === "https:"
    ? new TlsAgent({ ...shared, ...(caPem === undefined ? {} : { ca: caPem }) })
    : new Agent(shared);
}

interface SharedOptions {
  readonly abort_signal: AbortSignal;
  readonly clickhouse_settings: ClickHouseSettings;
  readonly query_params?: Record<string, unknown>;
  readonly query_id?: string;
}

/** Whoever cancels may say why. */
function cancelled(signal: AbortSignal, cause?: unknown): Failure {
  if (signal.reason instanceof Failure) return signal.reason;
  return new Failure("timeout", "the statement was cancelled by its caller", { cause: cause ?? signal.reason });
}
