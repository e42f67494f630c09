/** What a start finds on disk: the segments with their true lengths, the newest one's torn tail cut. */
import { open, readFile, readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { HEADER_BYTES, decodeFrame, decodeHeader, findFrame, offsetOfName, type SegmentHeader } from "./format.ts";

/** A segment as the log knows it while it runs. */
export interface Segment {
  readonly path: string;
  readonly firstOffset: bigint;
  /** How much of the file is synced, header included. What lies behind is never read. */
  bytes: number;
  /** The last synced record's offset; `firstOffset - 1` where there is none. */
  lastOffset: bigint;
}

/** Where the readable frames of a segment end, and where damage to acknowledged records was found. */
interface SegmentScan {
  readonly end: number;
  readonly lastOffset: bigint | null;
  /** Unreadable stretches with acknowledged records behind them. */
  readonly damagedAt: readonly number[];
  /** Unreadable bytes behind `end`: never acknowledged. */
  readonly tornBytes: number;
}

/** Walks the frames of a whole segment file. */
function scanSegment(bytes: Buffer): SegmentScan {
  const damagedAt: number[] = [];
  let at = HEADER_BYTES;
  let lastOffset: bigint | null = null;
  while (at < bytes.length) {
    const frame = decodeFrame(bytes, at, bytes.length);
    if ("offset" in frame) {
      lastOffset = frame.offset;
      at = frame.end;
      continue;
    }
    const acknowledged = findFrameOfLaterBatch(bytes, at);
    if (acknowledged === null) break;
    damagedAt.push(at);
    at = acknowledged;
  }
  return { end: Math.min(at, bytes.length), lastOffset, damagedAt, tornBytes: Math.max(0, bytes.length - at) };
}

/** The first readable frame behind `damage` whose batch begins behind it; null where all behind is of the same, torn, batch. */
function findFrameOfLaterBatch(bytes: Buffer, damage: number): number | null {
  const first = findFrame(bytes, damage + 1);
  let at = first;
  while (at !== null) {
    const frame = decodeFrame(bytes, at, bytes.length);
    if ("offset" in frame && frame.batchStart > damage) return first;
    at = findFrame(bytes, at + 1);
  }
  return null;
}

/** The segments of the directory, oldest first. Cuts the newest one's torn tail and removes one whose header never reached the disk. */
export async function recoverSegments(dir: string, logger: Log): Promise<Segment[]> {
  const names = (await readdir(dir)).filter((name) => offsetOfName(name) !== null).sort();
  const segments: Segment[] = [];
  let next: SegmentHeader | null = null;
  for (const [index, name] of [...names.entries()].reverse()) {
    const path = join(dir, name);
    const firstOffset = offsetOfName(name) ?? 0n;
    const isNewest = index === names.length - 1;
    const header: SegmentHeader | null = decodeHeader(await readHead(path));
    const segment = isNewest
      ? await recoverNewest(path, firstOffset, header !== null, logger)
      : await recoverSealed(path, firstOffset, next, logger);
    if (segment !== null) segments.unshift(segment);
    if (header === null && segment !== null) {
      logger.error({ file: path }, "the log segment's header is damaged; its records are read all the same");
    }
    next = header;
  }
  return segments;
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(head, 0, HEADER_BYTES, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The header behind it says how long a sealed segment is; behind that lie at most remains of a failed write. */
async function recoverSealed(path: string, firstOffset: bigint, next: SegmentHeader | null, logger: Log): Promise<Segment> {
  const { size } = await stat(path);
  const told = next?.previous;
  if (told?.firstOffset !== firstOffset) {
    logger.error({ file: path }, "the log segment behind this one is missing or damaged; acknowledged records may be lost");
    const scan = scanSegment(await readFile(path));
    return { path, firstOffset, bytes: scan.end, lastOffset: scan.lastOffset ?? firstOffset - 1n };
  }
  if (size < told.bytes) {
    logger.error(
      { file: path, bytes: size, expectedBytes: told.bytes },
      "the log segment was cut short; acknowledged records are lost",
    );
  }
  return { path, firstOffset, bytes: Math.min(size, told.bytes), lastOffset: told.lastOffset };
}

async function recoverNewest(path: string, firstOffset: bigint, hasHeader: boolean, logger: Log): Promise<Segment | null> {
  const bytes = await readFile(path);
  const scan = scanSegment(bytes);
  if (!hasHeader && scan.lastOffset === null) {
    logger.warn(
      { file: path },
      "a log segment that was being made when the process ended was removed; nothing in it was acknowledged",
    );
    await rm(path);
    return null;
  }
  if (scan.tornBytes > 0) {
    logger.warn({ file: path, cutBytes: scan.tornBytes }, "the log's torn tail was cut; nothing in it was acknowledged");
    await truncate(path, scan.end);
  }
  if (scan.damagedAt.length > 0) {
    logger.error({ file: path, positions: scan.damagedAt }, "acknowledged records of the log are damaged");
  }
  // What a dead process wrote and never synced may be read from here on: it must not vanish after its rows were stored.
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  return { path, firstOffset, bytes: scan.end, lastOffset: scan.lastOffset ?? firstOffset - 1n };
}
