/**
 * Clocks that differ, estimated per pair of hosts. A synchronous call lies within its caller, so on true clocks
 *
 *   caller start <= callee start + offset   and   callee end + offset <= caller end
 *
 * which leaves an interval of possible offsets per call. Calls whose interval holds 0 speak for agreeing clocks, calls that cannot have
 * happened as stamped speak against; where the latter are more, the offset is the middle of what all of them allow, or the median of their
 * middles where they do not agree. A callee that starts within its caller and merely ends after it speaks for neither: the
 * caller may have stopped waiting.
 */
import { KIND, type SpanColumns } from "./columns.ts";

export interface SkewInput {
  readonly columns: SpanColumns;
  /** By pre-order position: the row, and the position of the parent or -1. */
  readonly rows: Uint32Array;
  readonly parent: Int32Array;
  /** By row, nanoseconds from the trace's start. */
  readonly start: Float64Array;
}

export interface Skew {
  /** By pre-order position: nanoseconds to add to the start. */
  readonly offsetNano: Float64Array;
  /** By pre-order position: 1 where the span lies outside of its parent and their clocks differ. */
  readonly isSkewed: Uint8Array;
  readonly skewedCount: number;
}

interface PairEvidence {
  fitCount: number;
  /** Of the calls that do not fit: the least and the greatest offset that would make them. */
  readonly least: number[];
  readonly greatest: number[];
}

export function estimateSkew(input: SkewInput): Skew {
  const { columns, rows, parent } = input;
  const offsetNano = new Float64Array(rows.length);
  const isSkewed = new Uint8Array(rows.length);
  const pairOffsets = columns.hosts.length < 2 ? new Map<number, number>() : estimatePairs(input);
  if ([...pairOffsets.values()].every((offset) => offset === 0)) return { offsetNano, isSkewed, skewedCount: 0 };
  const hostOffsets = new Map<number, number>();
  let skewedCount = 0;
  for (let at = 0; at < rows.length; at += 1) {
    const host = columns.host[rows[at] ?? 0] ?? 0;
    const caller = parent[at] ?? -1;
    const callerHost = caller < 0 ? -1 : (columns.host[rows[caller] ?? 0] ?? 0);
    const callerOffset = caller < 0 ? 0 : (offsetNano[caller] ?? 0);
    const pairOffset = caller < 0 ? undefined : pairOffsets.get(pairKey(columns, callerHost, host));
    const offset =
      caller >= 0 && callerHost === host
        ? callerOffset
        : pairOffset === undefined
          ? (hostOffsets.get(host) ?? 0)
          : callerOffset + pairOffset;
    offsetNano[at] = offset;
    if (!hostOffsets.has(host)) hostOffsets.set(host, offset);
    if (pairOffset !== undefined && pairOffset !== 0 && liesOutside(input, at, caller)) {
      isSkewed[at] = 1;
      skewedCount += 1;
    }
  }
  return { offsetNano, isSkewed, skewedCount };
}

function pairKey(columns: SpanColumns, callerHost: number, host: number): number {
  return callerHost * columns.hosts.length + host;
}

function liesOutside({ columns, rows, start }: SkewInput, at: number, caller: number): boolean {
  const row = rows[at] ?? 0;
  const callerRow = rows[caller] ?? 0;
  const from = start[row] ?? 0;
  const callerFrom = start[callerRow] ?? 0;
  return from < callerFrom || from + (columns.durationNano[row] ?? 0) > callerFrom + (columns.durationNano[callerRow] ?? 0);
}

/** Offset of the callee's clock by pair of hosts, for every pair with evidence; 0 where the clocks agree. */
function estimatePairs(input: SkewInput): Map<number, number> {
  const { columns, rows, parent } = input;
  const pairs = new Map<number, PairEvidence>();
  for (let at = 0; at < rows.length; at += 1) {
    const caller = parent[at] ?? -1;
    if (caller < 0) continue;
    const row = rows[at] ?? 0;
    const callerRow = rows[caller] ?? 0;
    const host = columns.host[row] ?? 0;
    const callerHost = columns.host[callerRow] ?? 0;
    const isCall = columns.kind[row] === KIND.server && columns.kind[callerRow] !== KIND.producer;
    if (!isCall || host === callerHost || columns.hosts[host] === "" || columns.hosts[callerHost] === "") continue;
    const key = pairKey(columns, callerHost, host);
    const evidence = pairs.get(key) ?? { fitCount: 0, least: [], greatest: [] };
    pairs.set(key, evidence);
    addEvidence(evidence, input, row, callerRow);
  }
  return new Map([...pairs].map(([key, evidence]) => [key, estimateOffset(evidence)]));
}

function addEvidence(evidence: PairEvidence, { columns, start }: SkewInput, row: number, callerRow: number): void {
  const from = start[row] ?? 0;
  const to = from + (columns.durationNano[row] ?? 0);
  const callerFrom = start[callerRow] ?? 0;
  const callerTo = callerFrom + (columns.durationNano[callerRow] ?? 0);
  const least = callerFrom - from;
  const greatest = callerTo - to;
  if (greatest < least) return;
  if (least <= 0 && greatest >= 0) {
    evidence.fitCount += 1;
  } else if (from < callerFrom || from >= callerTo) {
    evidence.least.push(least);
    evidence.greatest.push(greatest);
  }
}

function estimateOffset({ fitCount, least, greatest }: PairEvidence): number {
  if (least.length <= fitCount) return 0;
  const low = least.reduce((a, b) => Math.max(a, b));
  const high = greatest.reduce((a, b) => Math.min(a, b));
  if (low <= high) return Math.round((low + high) / 2);
  const middles = Float64Array.from(least, (value, at) => (value + (greatest[at] ?? value)) / 2).sort();
  return Math.round(middles[middles.length >>> 1] ?? 0);
}
