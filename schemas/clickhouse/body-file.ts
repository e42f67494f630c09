/**
 * The body of an INSERT as a file in a directory that ClickHouse's process shares with this one, named in the request by a parameter of
 * its own. The embedded engine takes binary rows only from files; a body that goes there over a connection is copied four times more.
 */
import { randomUUID } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFully } from "../runtime/write-fully.ts";
import { Failure, messageOf } from "../span/errors.ts";

/** The URL parameter that names the file; its value is `BODY_FILE_NAME`. */
export const BODY_FILE_PARAMETER = "callchain_body_file";
export const BODY_FILE_NAME = /^given-[0-9a-f-]{36}$/;

export interface BodyFile {
  readonly name: string;
  /** Once the statement has ended, in whatever way. */
  remove(): Promise<void>;
}

/** Rejects with Failure "unavailable" where the directory takes no file; nothing of it is left then. */
export async function writeBodyFile(dir: string, body: readonly Uint8Array[]): Promise<BodyFile> {
  const name = `given-${randomUUID()}`;
  const path = join(dir, name);
  const remove = (): Promise<void> => rm(path, { force: true });
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await writeFully(file, body);
    } finally {
      await file.close();
    }
    return { name, remove };
  } catch (error) {
    await remove();
    throw new Failure("unavailable", `the rows cannot be handed over: ${messageOf(error)}`, { cause: error, retryAfterMs: 1000 });
  }
}
