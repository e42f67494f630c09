/** Bytes and texts gone wrong. */
import type { Dice } from "../dice.ts";

/** What can happen to any bytes: bits flipped, the end cut off, a stretch overwritten, doubled or removed. */
export function mutateBytes(dice: Dice, bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length === 0) return dice.bytes(1 + dice.below(8));
  const at = dice.below(copy.length);
  const length = 1 + dice.below(16);
  switch (dice.below(6)) {
    case 0:
      for (let count = 1 + dice.below(4); count > 0; count -= 1) {
        const index = dice.below(copy.length);
        copy.writeUInt8(copy.readUInt8(index) ^ (1 << dice.below(8)), index);
      }
      return copy;
    case 1:
      return copy.subarray(0, at);
    case 2:
      return Buffer.concat([copy.subarray(0, at), dice.bytes(length), copy.subarray(at + length)]);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at, at + length), copy.subarray(at)]);
    case 4:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + length)]);
    default:
      return Buffer.concat([copy, dice.bytes(length)]);
  }
}

/** How often something of this size is repeated at most, so that repeats of repeats stay small. */
export function repeatMax(byteCount: number): number {
  return Math.max(1, Math.floor(200_000 / (byteCount + 1)));
}

/** Texts that have broken a reader somewhere. */
export const STRANGE_TEXTS = [
  "",
  "__proto__",
  "constructor",
  "\0",
  "\u202e",
  "'; DROP TABLE spans; --",
  "<script>alert(1)</script>",
  "é".repeat(70_000),
  "\ufeff",
  "🙂",
];
