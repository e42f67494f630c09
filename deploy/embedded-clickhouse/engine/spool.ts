/**
 * Bodies of INSERTs on their way into the engine: chDB takes binary rows only from a file. Files live in the data directory for the time
 * of one request and are removed at start-up if a crash left them.
 */
import { mkdirSync, rmSync } from "node:fs";
import { open, stat, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BODY_FILE_NAME } from "@callchain/schemas/clickhouse/body-file.ts";
import { writeFully } from "@callchain/schemas/runtime/write-fully.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import { EngineError, ERROR } from "./errors.ts";

/** Chunks of a socket are 64 KiB at most; joined, a 29 MB body takes 8 writes instead of 450. */
const WRITE_BYTES = 4 * 1024 * 1024;

export interface SpoolFile {
  readonly path: string;
  readonly byteCount: number;
  remove(): Promise<void>;
}

/** Where other processes of this machine may lay bodies for the engine of a data directory (schemas/clickhouse/body-file.ts). */
export function spoolDirOf(dataDir: string): string {
  return join(dataDir, "engine", "spool");
}

export class Spool {
  readonly dir: string;
  readonly #bodyBytesMax: number;
  #fileCount = 0;

  constructor(dir: string, bodyBytesMax: number) {
    this.dir = dir;
    this.#bodyBytesMax = bodyBytesMax;
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /**
   * Writes a whole body. Throws EngineError QUERY_IS_TOO_LARGE past the cap and NOT_ENOUGH_SPACE on a full disk, and whatever the body
   * throws (a client that went away); the file is gone then.
   */
  async write(head: Uint8Array, body: AsyncIterable<Uint8Array>): Promise<SpoolFile> {
    this.#fileCount += 1;
    const path = join(this.dir, `body-${this.#fileCount}`);
    const remove = (): Promise<void> => unlink(path);
    let handle: FileHandle;
    try {
      handle = await open(path, "wx", 0o600);
    } catch (error) {
      throw writeError(error);
    }
    try {
      const byteCount = await this.#writeAll(handle, head, body);
      return { path, byteCount, remove };
    } catch (error) {
      await remove();
      throw writeError(error);
    } finally {
      await handle.close();
    }
  }

  /** A body that its sender wrote here itself, and removes. Throws EngineError for a name that is none of such a file. */
  async find(name: string): Promise<SpoolFile> {
    if (!BODY_FILE_NAME.test(name))
      throw new EngineError(ERROR.BAD_ARGUMENTS, `${JSON.stringify(name)} is no name of a body's file.`);
    const path = join(this.dir, name);
    const { size } = await stat(path).catch((error: unknown) => {
      throw new EngineError(ERROR.BAD_ARGUMENTS, `There is no body ${name}: ${messageOf(error)}.`);
    });
    this.#checkSize(size);
    return { path, byteCount: size, remove: () => Promise.resolve() };
  }

  #checkSize(byteCount: number): void {
    if (byteCount <= this.#bodyBytesMax) return;
    throw new EngineError(
      ERROR.QUERY_IS_TOO_LARGE,
      `The body is larger than the ${this.#bodyBytesMax} bytes accepted: send smaller blocks.`,
    );
  }

  async #writeAll(handle: FileHandle, head: Uint8Array, body: AsyncIterable<Uint8Array>): Promise<number> {
    let chunks: Uint8Array[] = head.length > 0 ? [head] : [];
    let pendingBytes = head.length;
    let byteCount = head.length;
    // The next chunks arrive while the last ones are written; at most two batches are held.
    let writing: Promise<void> = Promise.resolve();
    try {
      for await (const chunk of body) {
        byteCount += chunk.length;
        pendingBytes += chunk.length;
        this.#checkSize(byteCount);
        chunks.push(chunk);
        if (pendingBytes < WRITE_BYTES) continue;
        await writing;
        writing = writeFully(handle, chunks);
        // Awaited with the next batch; a failure in between must not count as unhandled.
        writing.catch(() => undefined);
        chunks = [];
        pendingBytes = 0;
      }
    } finally {
      await writing;
    }
    if (chunks.length > 0) await writeFully(handle, chunks);
    return byteCount;
  }
}

function writeError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new EngineError(
      ERROR.NOT_ENOUGH_SPACE,
      "No space left in the data directory to take the rows in: free some and send them again.",
    );
  }
  return error;
}
