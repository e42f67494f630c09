import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { COMPLETE } from "./testing.ts";
import { encodeSkeletonChunk, encodeSkeletonStart, SkeletonDecoder, type SkeletonChunk, type SkeletonStart } from "./skeleton.ts";

const START: SkeletonStart = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  startNano: "1700000000000000000",
  durationNano: 7,
  spanCount: 3,
  errorCount: 0,
  completeness: COMPLETE,
  partialReason: null,
};

function chunkOf(rowCount: number, name: string): SkeletonChunk {
  return {
    rowCount,
    services: ["shop"],
    names: [name],
    spanId: Uint8Array.from({ length: 8 * rowCount }, (_, at) => at % 251),
    start: Float64Array.from({ length: rowCount }, (_, at) => at * 1.5),
    duration: Float64Array.from({ length: rowCount }, (_, at) => at),
    parent: Int32Array.from({ length: rowCount }, (_, at) => at - 1),
    service: new Uint32Array(rowCount),
    name: new Uint32Array(rowCount),
    flags: new Uint8Array(rowCount).fill(16),
  };
}

test("a skeleton comes back whole from pieces of any size, those of a shared buffer too", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(9), fc.string()), { maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      (specs, sizes) => {
        const wanted = specs.map(([rowCount, name]) => chunkOf(rowCount, name.toWellFormed()));
        const body = Buffer.concat([encodeSkeletonStart(START), ...wanted.map(encodeSkeletonChunk)]);
        const decoder = new SkeletonDecoder();
        const chunks: SkeletonChunk[] = [];
        for (let at = 0, turn = 0; at < body.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          chunks.push(...decoder.push(body.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(decoder.start, START);
        assert.equal(decoder.pendingByteCount, 0);
        assert.deepEqual(chunks, wanted);
      },
    ),
  );
});

test("a body that ends within a frame leaves bytes behind", () => {
  const body = encodeSkeletonChunk(chunkOf(3, "a"));
  const decoder = new SkeletonDecoder();
  decoder.push(encodeSkeletonStart(START));
  assert.deepEqual(decoder.push(body.subarray(0, body.length - 1)), []);
  assert.equal(decoder.pendingByteCount, body.length - 1);
});
