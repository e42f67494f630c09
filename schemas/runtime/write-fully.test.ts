import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileHandle } from "node:fs/promises";
import * as fc from "fast-check";
import { writeFully } from "./write-fully.ts";

/** A file that takes at most so many bytes at once. */
function slowFile(takenMax: number): { file: FileHandle; bytes: () => number[] } {
  const held: number[] = [];
  const writev = (pieces: readonly Uint8Array[], position?: number): Promise<{ bytesWritten: number }> => {
    const taken = pieces.flatMap((piece) => [...piece]).slice(0, takenMax);
    for (const [index, byte] of taken.entries()) held[(position ?? held.length) + (position === undefined ? 0 : index)] = byte;
    return Promise.resolve({ bytesWritten: taken.length });
  };
  // as: the one method that is called
  return { file: { writev } as unknown as FileHandle, bytes: () => held };
}

const pieces = fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 6 });

test("all pieces are written in their order, however few bytes are taken at once", async () => {
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 12 }), fc.boolean(), async (given, takenMax, isPlaced) => {
      const { file, bytes } = slowFile(takenMax);
      await writeFully(file, given, isPlaced ? 0 : null);
      assert.deepEqual(
        bytes(),
        given.flatMap((piece) => [...piece]),
      );
    }),
  );
});

test("a file that takes nothing more is an error, not a loop", async () => {
  await assert.rejects(writeFully(slowFile(0).file, [new Uint8Array(1)]), /took no more bytes/);
});
