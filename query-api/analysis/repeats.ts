/**
 * Calls that one caller makes again and again: alike siblings. Alike are spans of one parent with the same service, name, kind and detail
 * (the database statement without its literals, or the route). A call per item of a list is an N+1: one call for all items would
 * take about as long as the longest of them, so repeating costs the time that they cover together less the longest.
 *
 *   caller  |--------------------------|
 *   query     |---|                       covered: 3 + 4 + 3 = 10, longest 4: the repetition costs 6
 *   query           |----|
 *   query                  |---|
 */
import { KIND, STATUS_ERROR, type SpanColumns } from "./columns.ts";
import type { CallTree } from "./tree.ts";

/** From this many alike siblings on it is told, as the page folds them (ui/src/lib/trace/groups.ts). */
export const REPEAT_COUNT_MIN = 5;

/** What distinguishes calls beside service, name and kind, by row. */
export interface CallDetails {
  readonly detail: Uint32Array;
  /** "" is none. */
  readonly details: readonly string[];
}

export interface Repeat {
  /** Position of the caller; -1 at the top level. */
  readonly parent: number;
  /** Positions, by adjusted start. */
  readonly members: readonly number[];
  readonly errorCount: number;
  readonly totalNano: number;
  /** Durations, ascending. */
  readonly sortedNano: Float64Array;
  readonly concurrencyMax: number;
  readonly costNano: number;
  readonly pattern: RepeatPattern;
}

export type RepeatPattern = "repeated" | "retries" | null;

/** Every group of at least REPEAT_COUNT_MIN, dearest first. */
export function findRepeats(columns: SpanColumns, details: CallDetails, tree: CallTree): Repeat[] {
  const groups = new Map<string, number[]>();
  const alike = (row: number, parent: number): string =>
    `${parent} ${columns.service[row]} ${columns.name[row]} ${columns.kind[row]} ${details.detail[row]}`;
  const counts = countChildren(tree);
  for (let at = 0; at < tree.count; at += 1) {
    const parent = tree.parent[at] ?? -1;
    if ((counts[parent + 1] ?? 0) < REPEAT_COUNT_MIN) continue;
    const key = alike(tree.rows[at] ?? 0, parent);
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [at]);
    else members.push(at);
  }
  return [...groups.values()]
    .filter((members) => members.length >= REPEAT_COUNT_MIN)
    .map((members) => measure(columns, tree, members))
    .toSorted(
      (a, b) => b.costNano - a.costNano || b.members.length - a.members.length || (a.members[0] ?? 0) - (b.members[0] ?? 0),
    );
}

/** At position + 1: the top level stands first. */
function countChildren(tree: CallTree): Int32Array {
  const counts = new Int32Array(tree.count + 1);
  for (let at = 0; at < tree.count; at += 1) {
    const place = (tree.parent[at] ?? -1) + 1;
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return counts;
}

function measure(columns: SpanColumns, tree: CallTree, unordered: readonly number[]): Repeat {
  const startOf = (at: number): number => tree.adjustedStart[at] ?? 0;
  const durationOf = (at: number): number => columns.durationNano[tree.rows[at] ?? 0] ?? 0;
  const members = unordered.toSorted((a, b) => startOf(a) - startOf(b) || a - b);
  const sortedNano = Float64Array.from(members, durationOf).sort();
  const errorCount = members.filter((at) => columns.status[tree.rows[at] ?? 0] === STATUS_ERROR).length;
  let coveredNano = 0;
  let coveredTo = Number.NEGATIVE_INFINITY;
  for (const at of members) {
    const end = startOf(at) + durationOf(at);
    coveredNano += Math.max(0, end - Math.max(startOf(at), coveredTo));
    coveredTo = Math.max(coveredTo, end);
  }
  const concurrencyMax = measureConcurrency(
    members.map(startOf),
    members.map((at) => startOf(at) + durationOf(at)),
  );
  const first = members[0] ?? 0;
  const isSerialCall = concurrencyMax === 1 && columns.kind[tree.rows[first] ?? 0] === KIND.client;
  return {
    parent: tree.parent[first] ?? -1,
    members,
    errorCount,
    totalNano: sortedNano.reduce((sum, duration) => sum + duration, 0),
    sortedNano,
    concurrencyMax,
    costNano: Math.max(0, coveredNano - (sortedNano.at(-1) ?? 0)),
    pattern: isSerialCall ? (errorCount * 2 > members.length ? "retries" : "repeated") : null,
  };
}

/** Most members that ran at the same instant; one that begins where another ends does not overlap it. `starts` ascend. */
function measureConcurrency(starts: readonly number[], ends: readonly number[]): number {
  const closing = ends.toSorted((a, b) => a - b);
  let ended = 0;
  let most = 1;
  for (let began = 1; began <= starts.length; began += 1) {
    while (ended < closing.length && (closing[ended] ?? 0) <= (starts[began - 1] ?? 0)) ended += 1;
    most = Math.max(most, began - ended);
  }
  return most;
}

/** Mean of the two middle ones where their count is even. */
export function medianOf(sorted: Float64Array): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

export function concurrencyOf({ concurrencyMax, members }: Repeat): "serial" | "parallel" | "mixed" {
  return concurrencyMax === 1 ? "serial" : concurrencyMax === members.length ? "parallel" : "mixed";
}
