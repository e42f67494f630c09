/**
 * A trace as a struct of arrays in pre-order, filled chunk by chunk as the skeleton streams in. With subtree sizes beside the
 * parents, skipping a collapsed row is one addition:
 *
 *   row     0 gateway   1 cart   2 redis   3 redis   4 orders
 *   parent     -1          0        1         1         0
 *   depth       0          1        2         2         1
 *   size        5          3        1         1         1      <- row + size is the next row that is no descendant
 */
import type { SkeletonChunk, SkeletonStart } from "@callchain/schemas/api/skeleton.ts";
import { SKELETON_FLAG, SKELETON_HAS_EVENTS, SKELETON_KIND_SHIFT } from "@callchain/schemas/api/skeleton.ts";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import type { SpanKind } from "@callchain/schemas/span/span.ts";

interface Columns {
  readonly spanId: Uint8Array;
  readonly start: Float64Array;
  readonly duration: Float64Array;
  readonly parent: Int32Array;
  readonly service: Uint32Array;
  readonly name: Uint32Array;
  readonly flags: Uint8Array;
  readonly depth: Uint32Array;
  readonly size: Int32Array;
}

function allocate(rows: number): Columns {
  return {
    spanId: new Uint8Array(8 * rows),
    start: new Float64Array(rows),
    duration: new Float64Array(rows),
    parent: new Int32Array(rows),
    service: new Uint32Array(rows),
    name: new Uint32Array(rows),
    flags: new Uint8Array(rows),
    depth: new Uint32Array(rows),
    size: new Int32Array(rows),
  };
}

function copyColumns(from: Columns, to: Columns): void {
  to.spanId.set(from.spanId);
  to.start.set(from.start);
  to.duration.set(from.duration);
  to.parent.set(from.parent);
  to.service.set(from.service);
  to.name.set(from.name);
  to.flags.set(from.flags);
  to.depth.set(from.depth);
  to.size.set(from.size);
}

/** A name may have a million characters; lists show its beginning. The span's details have all of it. */
const NAME_CHARS_MAX = 500;

function cutName(name: string): string {
  return name.length <= NAME_CHARS_MAX ? name : `${name.slice(0, NAME_CHARS_MAX).toWellFormed()}…`;
}

/** Times are nanoseconds from the trace's start. Arrays are longer than `rowCount`: read rows below it only. */
export class TraceModel {
  readonly head: SkeletonStart;
  readonly services: string[] = [];
  readonly names: string[] = [];
  rowCount = 0;
  /** Top-level rows so far. */
  topLevelCount = 0;
  errorCount = 0;
  depthMax = 0;
  /** End of the last span seen, at least the duration that the server stated. */
  endNano: number;
  #capacity: number;
  #columns: Columns;

  constructor(head: SkeletonStart) {
    this.head = head;
    this.endNano = Math.max(1, head.durationNano);
    this.#capacity = Math.max(16, head.spanCount);
    this.#columns = allocate(this.#capacity);
  }

  get spanId(): Uint8Array {
    return this.#columns.spanId;
  }
  get start(): Float64Array {
    return this.#columns.start;
  }
  get duration(): Float64Array {
    return this.#columns.duration;
  }
  /** Row of the parent, -1 at the top. */
  get parent(): Int32Array {
    return this.#columns.parent;
  }
  get service(): Uint32Array {
    return this.#columns.service;
  }
  get name(): Uint32Array {
    return this.#columns.name;
  }
  get flags(): Uint8Array {
    return this.#columns.flags;
  }
  get depth(): Uint32Array {
    return this.#columns.depth;
  }
  /** Rows of the subtree, the row itself included. */
  get size(): Int32Array {
    return this.#columns.size;
  }

  /** Takes the rows over by copying. Throws where they are not in pre-order; nothing of the chunk is kept then. */
  append(chunk: SkeletonChunk): void {
    const from = this.rowCount;
    const to = from + chunk.rowCount;
    this.#reserve(to);
    this.#copyIn(chunk, from);
    this.#placeDepths(from, to);
    this.#growSizes(from, to);
    for (const service of chunk.services) this.services.push(cutName(service));
    for (const name of chunk.names) this.names.push(cutName(name));
    this.#summarise(from, to);
    this.rowCount = to;
  }

  serviceName(row: number): string {
    return this.services[this.service[row] ?? -1] ?? "";
  }

  spanName(row: number): string {
    return this.names[this.name[row] ?? -1] ?? "";
  }

  kind(row: number): SpanKind {
    return SPAN_KINDS[((this.flags[row] ?? 0) >> SKELETON_KIND_SHIFT) & 7] ?? "unspecified";
  }

  isError(row: number): boolean {
    return ((this.flags[row] ?? 0) & SKELETON_FLAG.error) !== 0;
  }

  isOrphan(row: number): boolean {
    return ((this.flags[row] ?? 0) & SKELETON_FLAG.orphan) !== 0;
  }

  isSkewed(row: number): boolean {
    return ((this.flags[row] ?? 0) & SKELETON_FLAG.skewed) !== 0;
  }

  hasLinks(row: number): boolean {
    return ((this.flags[row] ?? 0) & SKELETON_FLAG.hasLinks) !== 0;
  }

  hasEvents(row: number): boolean {
    return ((this.flags[row] ?? 0) & SKELETON_HAS_EVENTS) !== 0;
  }

  hasChildren(row: number): boolean {
    return (this.size[row] ?? 1) > 1;
  }

  /** Lower-case hex of 16 digits. */
  spanIdOf(row: number): string {
    let hex = "";
    for (let at = 8 * row; at < 8 * row + 8; at++) hex += (this.spanId[at] ?? 0).toString(16).padStart(2, "0");
    return hex;
  }

  /** Rows of the direct children, in order. */
  *children(row: number): Generator<number> {
    const end = row + (this.size[row] ?? 1);
    for (let child = row + 1; child < end; child += this.size[child] ?? 1) yield child;
  }

  #reserve(rows: number): void {
    if (rows <= this.#capacity) return;
    this.#capacity = Math.max(rows, 2 * this.#capacity);
    const grown = allocate(this.#capacity);
    copyColumns(this.#columns, grown);
    this.#columns = grown;
  }

  #copyIn(chunk: SkeletonChunk, from: number): void {
    const to = this.#columns;
    to.spanId.set(chunk.spanId, 8 * from);
    to.start.set(chunk.start, from);
    to.duration.set(chunk.duration, from);
    to.parent.set(chunk.parent, from);
    to.service.set(chunk.service, from);
    to.name.set(chunk.name, from);
    to.flags.set(chunk.flags, from);
  }

  /** In pre-order the parent of a row is the row before it or one of that row's ancestors. */
  #placeDepths(from: number, to: number): void {
    const { parent, depth } = this.#columns;
    for (let row = from; row < to; row++) {
      const above = parent[row] ?? -1;
      if (above >= row || above < -1) throw new Error(`skeleton row ${row} names row ${above} as its parent: not in pre-order`);
      const level = above < 0 ? 0 : (depth[above] ?? 0) + 1;
      let open = row - 1;
      while (open >= 0 && (depth[open] ?? 0) >= level) open = parent[open] ?? -1;
      if (open !== above)
        throw new Error(`skeleton row ${row} names row ${above} as its parent, which is closed: not in pre-order`);
      depth[row] = level;
    }
  }

  /** Backwards over the new rows, then up the path that was open when they arrived. */
  #growSizes(from: number, to: number): void {
    const { parent, size } = this.#columns;
    const path: number[] = [];
    for (let row = from - 1; row >= 0; row = parent[row] ?? -1) path.push(row);
    const before = path.map((row) => size[row] ?? 1);
    size.fill(1, from, to);
    for (let row = to - 1; row >= from; row--) {
      const above = parent[row] ?? -1;
      if (above >= 0) size[above] = (size[above] ?? 1) + (size[row] ?? 1);
    }
    for (let at = 0; at + 1 < path.length; at++) {
      const row = path[at] ?? 0;
      const above = path[at + 1] ?? 0;
      size[above] = (size[above] ?? 1) + (size[row] ?? 1) - (before[at] ?? 1);
    }
  }

  #summarise(from: number, to: number): void {
    const { parent, depth, flags, start, duration } = this.#columns;
    for (let row = from; row < to; row++) {
      if (parent[row] === -1) this.topLevelCount++;
      if (((flags[row] ?? 0) & SKELETON_FLAG.error) !== 0) this.errorCount++;
      this.depthMax = Math.max(this.depthMax, depth[row] ?? 0);
      this.endNano = Math.max(this.endNano, (start[row] ?? 0) + (duration[row] ?? 0));
    }
  }
}
