/**
 * One process a data directory. The lock is the operating system's own (SQLite's exclusive lock on an empty file: fcntl on Unix,
 * LockFileEx on Windows), so it ends with its process however that ends: a `kill -9` leaves nothing stale, and two containers
 * that share the directory on one machine exclude each other although neither sees the other's process ids. Node offers no flock.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Failure, messageOf } from "../span/errors.ts";

export interface DirectoryLock {
  /** Gives the directory up. */
  release(): void;
}

/** Keeps what is held reachable: a collected database would be closed and its lock gone, whatever the caller did with the handle. */
const heldDatabases = new Set<DatabaseSync>();

/**
 * Makes the directory where it is absent and takes it for this process. Throws Failure "unavailable" naming the directory and the
 * process that holds it; `flag` is the setting that chooses another directory, e.g. `--data-dir`.
 */
export function lockDirectory(dir: string, flag: string): DirectoryLock {
  const ownerPath = join(dir, "lock.owner");
  const held = takeLock(dir, ownerPath, flag);
  // Only tells others whom to name: the lock itself does not depend on it, so a full disk may fail it.
  try {
    writeFileSync(ownerPath, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`);
  } catch (error) {
    if (!isDiskFull(error)) {
      held.close();
      throw new Failure("unavailable", `cannot write ${ownerPath}: ${messageOf(error)}`, { cause: error });
    }
  }
  heldDatabases.add(held);
  return {
    release: () => {
      heldDatabases.delete(held);
      rmSync(ownerPath, { force: true });
      held.close();
    },
  };
}

function takeLock(dir: string, ownerPath: string, flag: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    makeDirectory(dir);
    database = new DatabaseSync(join(dir, "lock"), { timeout: 0 });
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database?.close();
    if (isBusy(error)) {
      throw new Failure(
        "unavailable",
        `${dir} is in use by ${ownerOf(ownerPath)}: stop that process, or choose another directory with ${flag}`,
        { cause: error },
      );
    }
    throw new Failure("unavailable", `cannot take ${dir} into use: ${messageOf(error)}; choose another directory with ${flag}`, {
      cause: error,
    });
  }
}

/** A new directory is only safe once its parent is synced (fsync(2)). Windows cannot open directories and needs no sync. */
function makeDirectory(dir: string): void {
  const first = mkdirSync(dir, { recursive: true });
  if (first === undefined || process.platform === "win32") return;
  for (let made = resolve(dir); ; made = dirname(made)) {
    const parent = openSync(dirname(made), "r");
    try {
      fsyncSync(parent);
    } finally {
      closeSync(parent);
    }
    if (made === resolve(first) || made === dirname(made)) return;
  }
}

/** SQLITE_BUSY (https://www.sqlite.org/rescode.html#busy). */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

function ownerOf(ownerPath: string): string {
  try {
    const owner = readFileSync(ownerPath, "utf8").trim();
    return owner === "" ? "another process" : owner;
  } catch {
    // The holder has not written its name yet; the refusal stands without it.
    return "another process";
  }
}
