/**
 * Who holds a data directory. The lock itself is the engine's: a flock on its `status` file, which the kernel drops when the process
 * ends in whatever way. Beside it stands who to talk to instead.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "@callchain/schemas/span/errors.ts";

interface Holder {
  readonly pid: number;
  readonly url: string;
}

function holderPath(dataDir: string): string {
  return join(dataDir, "engine", "holder.json");
}

/** Only to be called by the process that has the lock. */
export function writeHolder(dataDir: string, url: string): void {
  const holder: Holder = { pid: process.pid, url };
  writeFileSync(holderPath(dataDir), `${JSON.stringify(holder)}\n`);
}

/** The message for a directory that could not be opened, with the holder's process and address where it is locked. */
export function describeHolder(dataDir: string, error: unknown): string {
  const holder = readHolder(dataDir);
  if (holder === null || !isRunning(holder.pid))
    return `the engine could not open ${dataDir}: ${messageOf(error)} (its own message is above)`;
  return (
    `${dataDir} is in use by process ${holder.pid}, which serves it at ${holder.url}: ` +
    "one engine per data directory; use that address, or stop that process, or choose another directory"
  );
}

function readHolder(dataDir: string): Holder | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(holderPath(dataDir), "utf8"));
  } catch {
    // Absent or half-written: the message does without it.
    return null;
  }
  if (typeof parsed !== "object" || parsed === null || !("pid" in parsed) || !("url" in parsed)) return null;
  return typeof parsed.pid === "number" && typeof parsed.url === "string" ? { pid: parsed.pid, url: parsed.url } : null;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
