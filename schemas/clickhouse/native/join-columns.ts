/** Columns over all blocks of an answer. */
import { Failure } from "../../span/errors.ts";
import type { NativeBlock } from "./read-native.ts";

/** One dictionary of all blocks', and an index into it per row. */
export interface TextColumn {
  readonly texts: readonly string[];
  readonly indexes: Uint32Array;
}

export function joinFixed(blocks: readonly NativeBlock[], name: string, size: number, count: number): ArrayBuffer {
  const joined = new Uint8Array(size * count);
  let at = 0;
  for (const { columns } of blocks) {
    const column = columns.get(name);
    if (column?.kind !== "fixed" || column.size !== size)
      throw new Failure("internal", `column ${name} is not of ${size} bytes a row`);
    joined.set(column.bytes.subarray(0, joined.length - at), at);
    at += column.bytes.length;
  }
  return joined.buffer;
}

/** All elements one after the other, and for each row where its own end. */
export function joinArrays(
  blocks: readonly NativeBlock[],
  name: string,
  size: number,
): { readonly ends: Uint32Array; readonly elements: ArrayBuffer } {
  const arrays = blocks.map(({ columns }) => {
    const column = columns.get(name);
    if (column?.kind !== "array" || column.size !== size)
      throw new Failure("internal", `column ${name} is no array of ${size} bytes an element`);
    return column;
  });
  const ends = new Uint32Array(arrays.reduce((sum, array) => sum + array.ends.length, 0));
  const elements = new Uint8Array(arrays.reduce((sum, array) => sum + array.bytes.length, 0));
  let row = 0;
  let at = 0;
  for (const array of arrays) {
    const before = at / size;
    for (let own = 0; own < array.ends.length; own += 1, row += 1) ends[row] = before + (array.ends[own] ?? 0);
    elements.set(array.bytes, at);
    at += array.bytes.length;
  }
  return { ends, elements: elements.buffer };
}

export function joinTexts(blocks: readonly NativeBlock[], name: string, count: number): TextColumn {
  const known = new Map<string, number>();
  const indexes = new Uint32Array(count);
  let row = 0;
  for (const { columns } of blocks) {
    const column = columns.get(name);
    if (column?.kind !== "text") throw new Failure("internal", `column ${name} is no dictionary`);
    // A block's dictionary holds more than its rows use: the empty text, and what was filtered out.
    const renumbered = new Int32Array(column.keys.length).fill(-1);
    for (let at = 0; at < column.indexes.length && row < count; at += 1, row += 1) {
      const key = column.indexes[at] ?? 0;
      const number = renumbered[key] ?? -1;
      indexes[row] = number >= 0 ? number : (renumbered[key] = numberOf(known, column.keys[key] ?? ""));
    }
  }
  return { texts: [...known.keys()], indexes };
}

function numberOf(known: Map<string, number>, text: string): number {
  const number = known.get(text) ?? known.size;
  known.set(text, number);
  return number;
}
