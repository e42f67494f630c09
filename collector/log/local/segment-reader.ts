/** Reads synced records back from the segments, in offset order, in large pieces. */
import { open, type FileHandle } from "node:fs/promises";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { LogRecord } from "@callchain/schemas/span/ports.ts";
import { HEADER_BYTES, decodeFrame, findFrame } from "./format.ts";
import type { Segment } from "./recover.ts";
import type { Segments } from "./segments.ts";

const READ_BYTES = 4 * 1024 * 1024;

export interface Piece {
  readonly records: readonly LogRecord[];
  readonly next: bigint;
}

interface OpenSegment {
  readonly segment: Segment;
  readonly file: FileHandle;
  /** Position in the file of the next frame. */
  at: number;
  /** The last offset that was read or given up. */
  lastOffset: bigint;
}

interface SegmentReaderOptions {
  readonly segments: Segments;
  readonly logger: Log;
  /** Told of each unreadable stretch of acknowledged records. */
  readonly onDamage: (bytes: number) => void;
}

export class SegmentReader {
  readonly #options: SegmentReaderOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #open: OpenSegment | null = null;

  constructor(options: SegmentReaderOptions) {
    this.#options = options;
  }

  /**
   * The next records from `position` on, and where to go on. No records and `next` = `position`: at the time of the call the
   * segments held nothing at or behind it. The records are views of a buffer that the next call overwrites. Positions rise from
   * call to call; for an earlier one, `close` first.
   */
  async read(position: bigint): Promise<Piece> {
    for (;;) {
      const current = this.#open ?? (await this.#openFor(position));
      if (current === null) return { records: [], next: position };
      if (current.at < current.segment.bytes) {
        const records = await this.#readFrames(current, position);
        if (records.length > 0) return { records, next: current.lastOffset + 1n };
        continue;
      }
      // Only a sealed segment is finished; what has not been synced of the active one is not there yet.
      const { segment } = current;
      const isFinished = !this.#options.segments.isActive(segment);
      if (isFinished) {
        if (current.lastOffset < segment.lastOffset) this.#reportDamage(segment, current.at, 0, "records at its end are missing");
        await this.close();
      }
      const through = isFinished ? segment.lastOffset : current.lastOffset;
      if (through >= position) return { records: [], next: through + 1n };
      if (!isFinished) return { records: [], next: position };
    }
  }

  async close(): Promise<void> {
    const current = this.#open;
    this.#open = null;
    await current?.file.close();
  }

  async #openFor(position: bigint): Promise<OpenSegment | null> {
    const segment = this.#options.segments.from(position);
    if (segment === undefined) return null;
    this.#open = { segment, file: await open(segment.path, "r"), at: HEADER_BYTES, lastOffset: segment.firstOffset - 1n };
    return this.#open;
  }

  /** Reads one piece and takes the whole frames in it; may return none where all lie before `position`. */
  async #readFrames(current: OpenSegment, position: bigint): Promise<LogRecord[]> {
    const limit = current.segment.bytes - current.at;
    const bytes = await this.#readPiece(current.file, current.at, Math.min(limit, READ_BYTES));
    const isOwn = this.#options.segments.isOwn(current.segment);
    const records: LogRecord[] = [];
    let at = 0;
    while (at < limit) {
      const frame = decodeFrame(bytes, at, limit, isOwn);
      if ("offset" in frame) {
        current.lastOffset = frame.offset;
        if (frame.offset >= position) records.push({ partition: 0, offset: frame.offset, value: frame.value });
        at = frame.end;
        continue;
      }
      if ("short" in frame) {
        if (at > 0 || bytes.length >= limit) break;
        // One frame larger than a piece.
        return this.#readLargeFrame(current, position, frame.bytes);
      }
      if (at > 0) break;
      await this.#skipDamage(current, frame.invalid);
      return records;
    }
    current.at += at;
    return records;
  }

  async #readLargeFrame(current: OpenSegment, position: bigint, frameBytes: number): Promise<LogRecord[]> {
    const limit = current.segment.bytes - current.at;
    const bytes = await this.#readPiece(current.file, current.at, Math.min(limit, Math.max(frameBytes, READ_BYTES)));
    const frame = decodeFrame(bytes, 0, limit);
    if ("offset" in frame) {
      current.at += frame.end;
      current.lastOffset = frame.offset;
      return frame.offset >= position ? [{ partition: 0, offset: frame.offset, value: frame.value }] : [];
    }
    await this.#skipDamage(current, "invalid" in frame ? frame.invalid : "the file is shorter than it was");
    return [];
  }

  async #readPiece(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
    // A piece larger than the kept buffer is its own, so that one large record does not hold its memory for ever.
    const into = bytes > READ_BYTES ? Buffer.allocUnsafeSlow(bytes) : this.#buffer.subarray(0, bytes);
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await file.read(into, filled, bytes - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return into.subarray(0, filled);
  }

  /** Moves to the next readable frame of the segment, or its end, and says what was lost. */
  async #skipDamage(current: OpenSegment, fault: string): Promise<void> {
    const rest = await this.#readPiece(current.file, current.at, current.segment.bytes - current.at);
    const next = findFrame(rest, 1) ?? current.segment.bytes - current.at;
    this.#reportDamage(current.segment, current.at, next, fault);
    current.at += next;
    if (current.at >= current.segment.bytes) current.lastOffset = current.segment.lastOffset;
  }

  #reportDamage(segment: Segment, at: number, bytes: number, fault: string): void {
    this.#options.segments.markDamaged(segment);
    this.#options.onDamage(bytes);
    this.#options.logger.error(
      { file: segment.path, position: at, bytes, fault },
      "acknowledged records of the log cannot be read; the file will be set aside and the records behind them are delivered",
    );
  }
}
