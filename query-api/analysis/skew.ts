/** Clocks that differ within one trace: estimated per pair of hosts that call each other (clocks.ts), and added up along the calls. */
import type { ClockOffset } from "@callchain/schemas/api/analysis.ts";
import { ClockEvidence } from "./clocks.ts";
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
  /** Pairs of hosts whose calls tell something, by name. */
  readonly clocks: readonly ClockOffset[];
}

export function estimateSkew(input: SkewInput): Skew {
  const { columns, rows, parent } = input;
  const offsetNano = new Float64Array(rows.length);
  const isSkewed = new Uint8Array(rows.length);
  const evidence = columns.hosts.length < 2 ? NO_EVIDENCE : gatherEvidence(input);
  const clocks = describeClocks(evidence, columns.hosts);
  if (clocks.every((clock) => clock.offsetNano === 0)) return { offsetNano, isSkewed, skewedCount: 0, clocks };
  const pairOffsets = new Map([...evidence].map(([key, pair]) => [key, pair.estimate().offsetNano]));
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
  return { offsetNano, isSkewed, skewedCount, clocks };
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

const NO_EVIDENCE: ReadonlyMap<number, ClockEvidence> = new Map();

/** By pair of hosts: `callerHost * columns.hosts.length + host`. What `known` holds is added to. */
export function gatherEvidence(input: SkewInput, known = new Map<number, ClockEvidence>()): Map<number, ClockEvidence> {
  const { columns, rows, parent, start } = input;
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
    const evidence = known.get(key) ?? new ClockEvidence();
    known.set(key, evidence);
    const from = start[row] ?? 0;
    const callerFrom = start[callerRow] ?? 0;
    evidence.add(callerFrom, callerFrom + (columns.durationNano[callerRow] ?? 0), from, from + (columns.durationNano[row] ?? 0));
  }
  return known;
}

/** The estimate of every pair with evidence, by the hosts' names. */
export function describeClocks(evidence: ReadonlyMap<number, ClockEvidence>, hosts: readonly string[]): ClockOffset[] {
  return [...evidence]
    .filter(([, pair]) => pair.callCount > 0)
    .map(([key, pair]) => ({
      callerHost: hosts[Math.floor(key / hosts.length)] ?? "",
      calleeHost: hosts[key % hosts.length] ?? "",
      ...pair.estimate(),
    }))
    .toSorted((a, b) => compareTexts(a.callerHost, b.callerHost) || compareTexts(a.calleeHost, b.calleeHost));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
