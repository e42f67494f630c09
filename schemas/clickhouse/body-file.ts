/**
 * The body of an INSERT as a file in a directory that ClickHouse's process shares with this one, named in the request by a parameter of
 * its own. The embedded engine takes binary rows only from files; a body that goes there over a connection is copied four times more.
 */
import { randomUUID } from "node:crypto";
import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
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

async function writeFully(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = pieces;
  while (rest.length > 0) {
    let { bytesWritten: skip } = await file.writev(rest);
    if (skip === 0) throw new Error("the file system took no more bytes");
    const left: Uint8Array[] = [];
    for (const piece of rest) {
      if (skip < piece.length) left.push(piece.subarray(skip));
      skip = Math.max(0, skip - piece.length);
    }
    rest = left;
  }
}
