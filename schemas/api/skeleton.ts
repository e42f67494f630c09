/**
 * `GET /traces/{id}?view=skeleton`: a trace as columns, for the waterfall. Media type `application/vnd.callchain.skeleton`.
 *
 * The body is a run of frames, each `u32 headerBytes | u32 columnBytes | header JSON, padded with spaces to 8 | columns`, little-endian. The first
 * frame's header is a SkeletonStart and has no columns; every further one is a SkeletonChunk with `rowCount` rows in pre-order (a parent
 * before its children), so the first chunk draws the top of the trace. Columns of a chunk, one after the other, each padded to 8 bytes:
 *
 *   spanId u8[8n] | start f64[n] | duration f64[n] | parent i32[n] | service u32[n] | name u32[n] | flags u8[n]
 *
 * start is nanoseconds from the trace's start, parent is a row index over the whole trace (-1 at the top), service and name are
 * indexes into dictionaries that grow chunk by chunk, flags is a set of SKELETON_FLAG plus the kind in bits 4-6.
 */
import type { Completeness } from "./traces.ts";

export const SKELETON_MEDIA_TYPE = "application/vnd.callchain.skeleton";

/** `?view=clocks`: one float64 per row of the skeleton, little-endian: nanoseconds by which the row's clock is estimated to be behind its caller's. */
export const CLOCKS_MEDIA_TYPE = "application/vnd.callchain.clocks";

/** Throws where the bytes are not whole numbers. */
export function decodeClocks(bytes: ArrayBuffer): Float64Array {
  if (bytes.byteLength % Float64Array.BYTES_PER_ELEMENT !== 0)
    throw new Error(`${bytes.byteLength} bytes are no column of float64`);
  return new Float64Array(bytes);
}

export const SKELETON_FLAG = { error: 1, orphan: 2, skewed: 4, hasLinks: 8 } as const;
export const SKELETON_KIND_SHIFT = 4;
export const SKELETON_HAS_EVENTS = 128;

export interface SkeletonStart {
  readonly traceId: string;
  /** Nanoseconds since the epoch, decimal. */
  readonly startNano: string;
  readonly durationNano: number;
  readonly spanCount: number;
  readonly errorCount: number;
  readonly completeness: Completeness;
  readonly partialReason: string | null;
}

interface SkeletonChunkHeader {
  readonly rowCount: number;
  /** Names that this chunk adds to the dictionaries. */
  readonly services: readonly string[];
  readonly names: readonly string[];
}

export interface SkeletonChunk extends SkeletonChunkHeader {
  readonly spanId: Uint8Array;
  readonly start: Float64Array;
  readonly duration: Float64Array;
  readonly parent: Int32Array;
  readonly service: Uint32Array;
  readonly name: Uint32Array;
  readonly flags: Uint8Array;
}

const pad8 = (bytes: number): number => (bytes + 7) & ~7;

/** Bytes that the columns of n rows take, with padding. */
function columnBytesOf(n: number): number {
  return 8 * n * 3 + pad8(4 * n) * 3 + pad8(n);
}

function frame(header: unknown, columnBytes: number): { bytes: Uint8Array; columnsAt: number } {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const columnsAt = pad8(8 + json.length);
  const bytes = new Uint8Array(columnsAt + columnBytes).fill(0x20, 8, columnsAt);
  bytes.set(json, 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, columnsAt - 8, true);
  view.setUint32(4, columnBytes, true);
  return { bytes, columnsAt };
}

export function encodeSkeletonStart(start: SkeletonStart): Uint8Array {
  return frame(start, 0).bytes;
}

export function encodeSkeletonChunk(chunk: SkeletonChunk): Uint8Array {
  const n = chunk.rowCount;
  const header: SkeletonChunkHeader = { rowCount: n, services: chunk.services, names: chunk.names };
  const { bytes, columnsAt } = frame(header, columnBytesOf(n));
  let at = columnsAt;
  for (const column of [chunk.spanId, chunk.start, chunk.duration, chunk.parent, chunk.service, chunk.name, chunk.flags]) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += pad8(column.byteLength);
  }
  return bytes;
}

/**
 * Takes a body as it arrives, in pieces of any size, and gives back each chunk as soon as it is whole. The chunks' arrays are views
 * on their own buffers and may be transferred. Throws where the bytes are not a skeleton.
 */
export class SkeletonDecoder {
  /** What waits for the rest of its frame; joined when that has arrived, since a frame comes in dozens of pieces. */
  #pieces: Uint8Array[] = [];
  #heldByteCount = 0;
  /** Bytes without which nothing more can be read: the frame's lengths, then the frame. */
  #neededByteCount = 8;
  #start: SkeletonStart | undefined;

  /** Set once the first frame has arrived. */
  get start(): SkeletonStart | undefined {
    return this.#start;
  }

  /** Bytes that wait for the rest of their frame; not 0 at the end of a body means that it was cut off. */
  get pendingByteCount(): number {
    return this.#heldByteCount;
  }

  push(piece: Uint8Array): SkeletonChunk[] {
    this.#pieces.push(piece);
    this.#heldByteCount += piece.length;
    if (this.#heldByteCount < this.#neededByteCount) return [];
    const joined = this.#join();
    const chunks: SkeletonChunk[] = [];
    let at = 0;
    this.#neededByteCount = 8;
    while (joined.length - at >= 8) {
      const view = new DataView(joined.buffer, joined.byteOffset + at, 8);
      const headerBytes = view.getUint32(0, true);
      const frameBytes = 8 + headerBytes + view.getUint32(4, true);
      if (joined.length - at < frameBytes) {
        this.#neededByteCount = frameBytes;
        break;
      }
      // A copy of its own: the columns' views need its alignment, and its buffer may be transferred.
      const frame = new Uint8Array(frameBytes);
      frame.set(joined.subarray(at, at + frameBytes));
      this.#frame(frame, headerBytes, chunks);
      at += frameBytes;
    }
    this.#pieces = [joined.subarray(at)];
    this.#heldByteCount = joined.length - at;
    return chunks;
  }

  #join(): Uint8Array {
    const [only] = this.#pieces;
    if (only !== undefined && this.#pieces.length === 1) return only;
    const joined = new Uint8Array(this.#heldByteCount);
    let at = 0;
    for (const piece of this.#pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  }

  #frame(bytes: Uint8Array, headerBytes: number, chunks: SkeletonChunk[]): void {
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
    if (this.#start === undefined) {
      // Written by encodeSkeletonStart of the same version of Callchain.
      this.#start = header as SkeletonStart;
      return;
    }
    // Written by encodeSkeletonChunk; the size check below catches anything else.
    const chunk = header as SkeletonChunkHeader;
    const n = chunk.rowCount;
    const columnsAt = 8 + headerBytes;
    if (!Number.isInteger(n) || bytes.length - columnsAt !== columnBytesOf(n)) {
      throw new Error(`skeleton chunk says ${n} rows but carries ${bytes.length - columnsAt} bytes of columns`);
    }
    const offsets = [8 * n, 8 * n, 8 * n, pad8(4 * n), pad8(4 * n), pad8(4 * n)].reduce(
      (at, size) => [...at, (at.at(-1) ?? 0) + size],
      [columnsAt],
    );
    const [spanId = 0, start = 0, duration = 0, parent = 0, service = 0, name = 0, flags = 0] = offsets;
    chunks.push({
      ...chunk,
      spanId: new Uint8Array(bytes.buffer, spanId, 8 * n),
      start: new Float64Array(bytes.buffer, start, n),
      duration: new Float64Array(bytes.buffer, duration, n),
      parent: new Int32Array(bytes.buffer, parent, n),
      service: new Uint32Array(bytes.buffer, service, n),
      name: new Uint32Array(bytes.buffer, name, n),
      flags: new Uint8Array(bytes.buffer, flags, n),
    });
  }
}
