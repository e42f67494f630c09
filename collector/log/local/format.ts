/**
 * The files of the local log, little endian. A segment is a header and then frames, one a record:
 *
 *   header  0 magic (8)  8 first offset u64  16 first offset, 24 bytes, 32 last offset of the segment before u64 each
 *           40 CRC of 0..39 u32  44 zero u32
 *   frame   0 magic u32  4 CRC of 8..end u32  8 length of the value u32  12 position of its batch in the file u32
 *           16 offset u64  24 value
 *
 *   00000001845219328000.seg        |header|frame 8000|frame 8001|frame 8002|
 *                                          ^--- one batch ------^ ^ another: its frames say "my batch begins here"
 *
 * A batch is one write and one fdatasync; nothing of it was acknowledged before all of it was on disk. So whatever lies unreadable
 * at position p, and no readable frame behind it says that its batch begins behind p, was never acknowledged: a torn tail. Where
 * one does say so, acknowledged records were damaged, and that is an error to report. The header's account of the segment before
 * tells a sealed segment's true length.
 *
 * CRC is zlib's CRC-32 (4.8 GB/s here) rather than CRC-32C, which Node has only as plain JavaScript (1.0 GB/s, table-driven).
 */
import { crc32 } from "node:zlib";

export const HEADER_BYTES = 48;
export const FRAME_BYTES = 24;

const HEADER_MAGIC = Buffer.from("CCLOG\0\0\x01", "latin1");
const FRAME_MAGIC_BYTES = Buffer.from("CSPN", "latin1");
const FRAME_MAGIC = FRAME_MAGIC_BYTES.readUInt32LE(0);

/** What a header says: its own first offset, and the segment before it (null for the first of a directory). */
export interface SegmentHeader {
  readonly firstOffset: bigint;
  readonly previous: { readonly firstOffset: bigint; readonly bytes: number; readonly lastOffset: bigint } | null;
}

interface Frame {
  readonly offset: bigint;
  readonly value: Uint8Array;
  /** Where in the file the frame's batch begins. */
  readonly batchStart: number;
  /** Index in the buffer one past the frame. */
  readonly end: number;
}

/** `short`: the buffer ends before the frame does; `bytes` is what the frame needs from its start, as far as can be told. */
type FrameRead = Frame | { readonly short: true; readonly bytes: number } | { readonly invalid: string };

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  HEADER_MAGIC.copy(bytes, 0);
  bytes.writeBigUInt64LE(header.firstOffset, 8);
  bytes.writeBigUInt64LE(header.previous?.firstOffset ?? 0n, 16);
  bytes.writeBigUInt64LE(BigInt(header.previous?.bytes ?? 0), 24);
  bytes.writeBigUInt64LE(header.previous?.lastOffset ?? 0n, 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 40)), 40);
  return bytes;
}

/** Returns null where the bytes are no header. */
export function decodeHeader(bytes: Buffer): SegmentHeader | null {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 8).equals(HEADER_MAGIC)) return null;
  if (crc32(bytes.subarray(0, 40)) !== bytes.readUInt32LE(40)) return null;
  const previousBytes = Number(bytes.readBigUInt64LE(24));
  return {
    firstOffset: bytes.readBigUInt64LE(8),
    previous:
      previousBytes === 0
        ? null
        : { firstOffset: bytes.readBigUInt64LE(16), bytes: previousBytes, lastOffset: bytes.readBigUInt64LE(32) },
  };
}

/** Fills the 24 bytes before a value. */
export function encodeFrameHead(head: Buffer, offset: bigint, batchStart: number, value: Uint8Array): void {
  head.writeUInt32LE(FRAME_MAGIC, 0);
  head.writeUInt32LE(value.length, 8);
  head.writeUInt32LE(batchStart, 12);
  head.writeBigUInt64LE(offset, 16);
  head.writeUInt32LE(crc32(value, crc32(head.subarray(8))), 4);
}

/**
 * Reads the frame at `at`; its value is a view of the buffer. `limit` is the greatest possible end (what the file still holds). The
 * checksum is taken on trust where `isOwn` says that this process wrote the frame.
 */
export function decodeFrame(bytes: Buffer, at: number, limit: number, isOwn = false): FrameRead {
  if (at + FRAME_BYTES > limit) return { invalid: "the file ends inside a frame's head" };
  if (at + FRAME_BYTES > bytes.length) return { short: true, bytes: FRAME_BYTES };
  if (bytes.readUInt32LE(at) !== FRAME_MAGIC) return { invalid: "no frame begins here" };
  const end = at + FRAME_BYTES + bytes.readUInt32LE(at + 8);
  if (end > limit) return { invalid: "the file ends inside a frame" };
  if (end > bytes.length) return { short: true, bytes: end - at };
  if (!isOwn && crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32LE(at + 4))
    return { invalid: "the checksum does not match" };
  return {
    offset: bytes.readBigUInt64LE(at + 16),
    value: bytes.subarray(at + FRAME_BYTES, end),
    batchStart: bytes.readUInt32LE(at + 12),
    end,
  };
}

/** The next position from `from` on where a readable frame begins, or null. `bytes` reaches to the file's end. */
export function findFrame(bytes: Buffer, from: number): number | null {
  for (let at = bytes.indexOf(FRAME_MAGIC_BYTES, from); at !== -1; at = bytes.indexOf(FRAME_MAGIC_BYTES, at + 1)) {
    if ("offset" in decodeFrame(bytes, at, bytes.length)) return at;
  }
  return null;
}

/** `00000001845219328000.seg`: names sort like offsets. */
export function segmentName(firstOffset: bigint): string {
  return `${String(firstOffset).padStart(20, "0")}.seg`;
}

/** The first offset that a segment's name tells, or null for other files. */
export function offsetOfName(name: string): bigint | null {
  return /^\d{20}\.seg$/.test(name) ? BigInt(name.slice(0, 20)) : null;
}
