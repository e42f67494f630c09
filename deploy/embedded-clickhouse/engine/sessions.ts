/**
 * chDB's connections: each runs one statement at a time, with the settings, parameters and database that were set on it. One that answered a
 * reader is kept for the next of the same settings, database and names of parameters, which saves a millisecond of the five that the smallest
 * question takes. All others are closed after their statement.
 */
import { engineErrorOf } from "./errors.ts";
import { identifier, stringLiteral } from "./literal.ts";
import type { NativeBinding, NativeConnection, NativeResult } from "./native.ts";
import { ID_SETTING } from "./server-config.ts";

/** What a statement runs with. */
export interface Session {
  readonly queryId: string;
  readonly database: string | null;
  readonly settings: ReadonlyMap<string, string>;
  /** Bound parameters as ClickHouse's HTTP interface takes them: escaped by the rules of TSV. */
  readonly params: ReadonlyMap<string, string>;
  /** Format of an answer whose statement names none. */
  readonly defaultFormat: string;
}

/** ClickHouse's own default of max_query_size. */
const QUERY_BYTES_MAX = 262_144;
const IDLE_MAX = 8;

/** Where chDB differs from a server: asynchronous inserts would acknowledge rows before they are stored. */
const DEFAULT_SETTINGS: ReadonlyMap<string, string> = new Map([
  ["async_insert", "0"],
  ["implicit_select", "0"],
  ["allow_introspection_functions", "0"],
]);

/**
 * A server that has less than a gigabyte free for each thread gives a question but one, and this one never has more: with it every question of
 * a store of 5M spans took its whole CPU time, on any number of cores.
 */
const READ_SETTINGS: ReadonlyMap<string, string> = new Map([
  ...DEFAULT_SETTINGS,
  ["max_threads_min_free_memory_per_thread", "0"],
]);

export class Sessions {
  readonly #native: NativeBinding;
  readonly #dir: string;
  readonly #args: readonly string[];
  /** The longest unused first. */
  readonly #idle: { readonly key: string; readonly connection: NativeConnection }[] = [];

  constructor(native: NativeBinding, dir: string, args: readonly string[]) {
    this.#native = native;
    this.#dir = dir;
    this.#args = args;
  }

  /** Rejects with EngineError. */
  async run(sql: string, session: Session): Promise<NativeResult> {
    return this.#runOnce(`${setSession(DEFAULT_SETTINGS, session)}${sql}`, session.defaultFormat);
  }

  /** As `run`, of a statement that leaves nothing behind on its connection. A kill after `signal` may come late, so such a one is not kept. */
  async read(sql: string, session: Session, signal: AbortSignal): Promise<NativeResult> {
    const set = setSession(READ_SETTINGS, session);
    const key = keyOf(session);
    if (key === null || set.length > QUERY_BYTES_MAX / 4) return this.#runOnce(`${set}${sql}`, session.defaultFormat);
    const kept = this.#take(key);
    const connection = kept ?? this.#open();
    const prefix = kept === null ? set : `SET ${ownChanges(session).join(", ")}; `;
    let result: NativeResult;
    try {
      result = await this.#native.QueryAsyncConnection(connection, `${prefix}${sql}`, session.defaultFormat);
    } catch (error) {
      this.#native.CloseConnection(connection);
      throw engineErrorOf(error);
    }
    if (signal.aborted) this.#native.CloseConnection(connection);
    else this.#idle.push({ key, connection });
    if (this.#idle.length > IDLE_MAX) this.#closeOldest();
    return result;
  }

  /** Without a session's settings. */
  async control(sql: string): Promise<void> {
    await this.#runOnce(sql, "Null");
  }

  /** Once nothing runs any more. */
  close(): void {
    while (this.#idle.length > 0) this.#closeOldest();
  }

  #open(): NativeConnection {
    return this.#native.CreateConnection(this.#dir, this.#args);
  }

  #closeOldest(): void {
    const oldest = this.#idle.shift();
    if (oldest !== undefined) this.#native.CloseConnection(oldest.connection);
  }

  #take(key: string): NativeConnection | null {
    const at = this.#idle.findLastIndex((idle) => idle.key === key);
    return at < 0 ? null : (this.#idle.splice(at, 1)[0]?.connection ?? null);
  }

  async #runOnce(sql: string, format: string): Promise<NativeResult> {
    const connection = this.#open();
    try {
      return await this.#native.QueryAsyncConnection(connection, sql, format);
    } catch (error) {
      throw engineErrorOf(error);
    } finally {
      this.#native.CloseConnection(connection);
    }
  }
}

/** Sessions of one key differ in what `ownChanges` sets alone. Null where nothing may be set after `readonly`. */
function keyOf({ database, settings, params }: Session): string | null {
  if (settings.get("readonly") === "1") return null;
  return JSON.stringify([database, [...settings].filter(([name]) => name !== ID_SETTING), [...params.keys()]]);
}

function ownChanges({ queryId, params }: Session): string[] {
  const changes = [`${ID_SETTING}=${stringLiteral(queryId)}`];
  for (const [name, value] of params) changes.push(`param_${name}=${stringLiteral(value)}`);
  return changes;
}

/** `readonly` comes last: nothing may be set after it. */
function setSession(fallbacks: ReadonlyMap<string, string>, session: Session): string {
  const { database, settings } = session;
  const changes = ownChanges(session);
  for (const [name, value] of fallbacks) if (!settings.has(name)) changes.push(`${name}=${stringLiteral(value)}`);
  for (const [name, value] of settings)
    if (name !== "readonly" && name !== ID_SETTING) changes.push(`${name}=${stringLiteral(value)}`);
  const readonly = settings.get("readonly");
  if (readonly !== undefined) changes.push(`readonly=${stringLiteral(readonly)}`);
  const use = database === null ? "" : `USE ${identifier(database)}; `;
  const set = changes.join(", ");
  if (set.length < QUERY_BYTES_MAX / 4) return `${use}SET ${set}; `;
  // Long parameters: a server takes them beside the statement, here they are one. The limit then holds again for the statement itself.
  const own = settings.has("max_query_size") ? "" : `max_query_size=${QUERY_BYTES_MAX}, `;
  return `${use}SET max_query_size=${set.length * 4 + QUERY_BYTES_MAX}; SET ${own}${set}; `;
}
