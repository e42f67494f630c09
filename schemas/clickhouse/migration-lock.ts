/**
 * One migration at a time on a server. ClickHouse has no advisory locks, but refuses a second statement under an id that is running
 * (error 216), for all users together: a statement that only sleeps is the lock. It ends with its connection, so a `kill -9` of its
 * holder leaves nothing behind.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../runtime/log.ts";
import { Failure, failureCodeOf, messageOf } from "../span/errors.ts";
import type { SpanDatabase } from "./database.ts";
import { CLICKHOUSE_CODE, clickHouseCodeOf } from "./errors.ts";

const POLL_MS = 25;
const RETRY_MS = 300;
/** Longer than any migration; the statement ends with its holder anyway. */
const HELD_SECONDS_MAX = 86_400;

/** A nap a row: a server that is told to stop does so between two rows. */
const SLEEP = `SELECT sleepEachRow(0.05) FROM numbers(${HELD_SECONDS_MAX * 20})`;
const IS_RUNNING = "SELECT count() AS n FROM system.processes WHERE position(query, concat('lock', '=', {token:String})) > 0";

/**
 * Runs `work` while no other process runs under the same name on this server; waits for one that does. `assertHeld` throws once the
 * lock is lost (the server was restarted): call it before each step. Rejects with what `work` rejects with, and with the
 * SpanDatabase's failures.
 */
export async function withMigrationLock<T>(
  database: SpanDatabase,
  name: string,
  logger: Log,
  work: (assertHeld: () => void) => Promise<T>,
): Promise<T> {
  const lock = await takeLock(database, name, logger);
  try {
    return await work(() => {
      if (lock.lost !== null) throw lock.lost;
    });
  } finally {
    await lock.release();
  }
}

interface Lock {
  /** Why the sleeping statement ended; null while it runs. */
  lost: Failure | null;
  release(): Promise<void>;
}

async function takeLock(database: SpanDatabase, name: string, logger: Log): Promise<Lock> {
  let isSaid = false;
  for (;;) {
    try {
      return await tryLock(database, `callchain-migrate-${name}`);
    } catch (error) {
      if (clickHouseCodeOf(error) !== CLICKHOUSE_CODE.queryWithSameIdIsRunning) throw error;
    }
    if (!isSaid) logger.warn({ database: name }, "another process is migrating this database; waiting until it is done");
    isSaid = true;
    await delay(RETRY_MS);
  }
}

/** Rejects with ClickHouse's error 216 where the lock is taken. */
async function tryLock(database: SpanDatabase, queryId: string): Promise<Lock> {
  const token = randomUUID();
  const releasing = new AbortController();
  const ended = sleep(database, token, queryId, releasing.signal).then((failure) => (lock.lost = failure));
  const lock: Lock = {
    lost: null,
    release: async () => {
      releasing.abort();
      await ended;
    },
  };
  try {
    while (lock.lost === null) {
      const { rows } = await database.query<{ n: string }>(IS_RUNNING, { params: { token } });
      if (rows[0]?.n !== "0") return lock;
      await delay(POLL_MS);
    }
    throw lock.lost;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Resolves with what ended it. */
async function sleep(database: SpanDatabase, token: string, queryId: string, signal: AbortSignal): Promise<Failure> {
  try {
    await database.command(`${SLEEP} /* lock=${token} */ FORMAT Null`, {
      queryId,
      signal,
      timeoutMs: HELD_SECONDS_MAX * 1000,
      settings: { readonly: 2, cancel_http_readonly_queries_on_client_close: 1, max_block_size: 1, max_threads: 1 },
    });
    return new Failure("timeout", "the migration took longer than its lock lasts");
  } catch (error) {
    return new Failure(failureCodeOf(error), `the migration's lock on ClickHouse: ${messageOf(error)}`, { cause: error });
  }
}
