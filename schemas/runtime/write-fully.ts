/** Writing buffers to a file in whole: `writev` may take only some of what it is given. */
import type { FileHandle } from "node:fs/promises";

/** From `position` on, or where the file stands. Rejects with the file system's error; some bytes may have been written by then. */
export async function writeFully(file: FileHandle, pieces: readonly Uint8Array[], position: number | null = null): Promise<void> {
  let rest = pieces.filter(({ length }) => length > 0);
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at ?? undefined);
    if (bytesWritten === 0) throw new Error("the file system took no more bytes");
    if (at !== null) at += bytesWritten;
    rest = piecesBehind(rest, bytesWritten);
  }
}

function piecesBehind(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = written;
  for (const piece of pieces) {
    if (skip < piece.length) rest.push(piece.subarray(skip));
    skip = Math.max(0, skip - piece.length);
  }
  return rest;
}
