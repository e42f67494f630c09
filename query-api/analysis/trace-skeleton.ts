/** A call tree as skeleton frames, root first. */
import {
  SKELETON_FLAG,
  SKELETON_HAS_EVENTS,
  SKELETON_KIND_SHIFT,
  encodeSkeletonChunk,
  encodeSkeletonStart,
} from "@callchain/schemas/api/skeleton.ts";
import type { TraceId } from "@callchain/schemas/span/ids.ts";
import { SPAN_HAS, STATUS_ERROR, type SpanColumns } from "./columns.ts";
import type { CallTree } from "./tree.ts";
import type { TraceColumns } from "./columns.ts";

/** Rows of the first chunk, which draws the top of the trace, and of those after it. */
const FIRST_CHUNK_ROWS = 2_000;
const CHUNK_ROWS = 50_000;

export async function* encodeSkeleton(
  id: TraceId,
  tree: CallTree,
  { columns, partialReason }: TraceColumns,
): AsyncGenerator<Uint8Array> {
  yield encodeSkeletonStart({
    traceId: id,
    startNano: tree.startNano.toString(),
    durationNano: tree.durationNano,
    spanCount: tree.count,
    errorCount: tree.errorCount,
    completeness: tree.completeness,
    partialReason,
  });
  const services = new GrowingDictionary(columns.services);
  const names = new GrowingDictionary(columns.names);
  for (let from = 0; from < tree.count;) {
    const to = Math.min(tree.count, from + (from === 0 ? FIRST_CHUNK_ROWS : CHUNK_ROWS));
    yield encodeRows(tree, columns, from, to, services, names);
    from = to;
    // Other requests get their turn between the chunks of a large trace.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** What to add to the start of each row of the skeleton so that the clocks agree, as bytes of float64. */
export async function* encodeClocks({ skewNano, count }: CallTree): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < count; from += CHUNK_ROWS) {
    yield new Uint8Array(skewNano.slice(from, Math.min(count, from + CHUNK_ROWS)).buffer);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** Numbers texts in the order in which they are first shown, and tells which are new since it was last asked. */
class GrowingDictionary {
  readonly #texts: readonly string[];
  readonly #numbers: Int32Array;
  #count = 0;
  #added: string[] = [];

  constructor(texts: readonly string[]) {
    this.#texts = texts;
    this.#numbers = new Int32Array(texts.length).fill(-1);
  }

  number(index: number): number {
    const known = this.#numbers[index] ?? -1;
    if (known >= 0) return known;
    this.#numbers[index] = this.#count;
    this.#added.push(this.#texts[index] ?? "");
    this.#count += 1;
    return this.#count - 1;
  }

  takeAdded(): string[] {
    const added = this.#added;
    this.#added = [];
    return added;
  }
}

function encodeRows(
  tree: CallTree,
  columns: SpanColumns,
  from: number,
  to: number,
  services: GrowingDictionary,
  names: GrowingDictionary,
): Uint8Array {
  const rowCount = to - from;
  const spanId = new Uint8Array(8 * rowCount);
  const duration = new Float64Array(rowCount);
  const service = new Uint32Array(rowCount);
  const name = new Uint32Array(rowCount);
  const flags = new Uint8Array(rowCount);
  for (let at = 0; at < rowCount; at += 1) {
    const row = tree.rows[from + at] ?? 0;
    for (let byte = 0; byte < 8; byte += 1) spanId[8 * at + byte] = columns.spanId[8 * row + byte] ?? 0;
    duration[at] = columns.durationNano[row] ?? 0;
    service[at] = services.number(columns.service[row] ?? 0);
    name[at] = names.number(columns.name[row] ?? 0);
    flags[at] = flagsOf(tree, columns, from + at, row);
  }
  return encodeSkeletonChunk({
    rowCount,
    services: services.takeAdded(),
    names: names.takeAdded(),
    spanId,
    start: tree.start.slice(from, to),
    duration,
    parent: tree.parent.slice(from, to),
    service,
    name,
    flags,
  });
}

function flagsOf(tree: CallTree, columns: SpanColumns, at: number, row: number): number {
  const has = columns.has[row] ?? 0;
  return (
    (columns.status[row] === STATUS_ERROR ? SKELETON_FLAG.error : 0) |
    (tree.isOrphan[at] === 1 ? SKELETON_FLAG.orphan : 0) |
    (tree.isSkewed[at] === 1 ? SKELETON_FLAG.skewed : 0) |
    ((has & SPAN_HAS.links) === 0 ? 0 : SKELETON_FLAG.hasLinks) |
    ((has & SPAN_HAS.events) === 0 ? 0 : SKELETON_HAS_EVENTS) |
    ((columns.kind[row] ?? 0) << SKELETON_KIND_SHIFT)
  );
}
