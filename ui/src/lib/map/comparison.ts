/** Two graphs of different time ranges beside each other. */
import { instantMs, nanoTextFromMs, type TimeRange } from "../time-range.ts";
import type { MapEdge, MapGraph } from "./graph.ts";

export const COMPARISONS = ["before", "1d", "1w"] as const;
export type ComparisonChoice = (typeof COMPARISONS)[number];

export function readComparison(text: string | null): ComparisonChoice | null {
  return COMPARISONS.find((choice) => choice === text) ?? null;
}

const DAY_MS = 86_400_000;

/** The range to compare with: as long as the other, just before it or so many days earlier. For the API's compareFrom and compareTo. */
export function comparedRange(
  range: TimeRange,
  choice: ComparisonChoice,
  nowMs: number,
): { compareFrom: string; compareTo: string } {
  const toMs = instantMs(range.to, nowMs) ?? nowMs;
  const fromMs = instantMs(range.from, nowMs) ?? toMs - 3_600_000;
  const backMs = choice === "before" ? toMs - fromMs : choice === "1d" ? DAY_MS : 7 * DAY_MS;
  return { compareFrom: nanoTextFromMs(fromMs - backMs), compareTo: nanoTextFromMs(toMs - backMs) };
}

export interface GraphComparison {
  /** The other range's edge for an edge of this range; absent: it is new. */
  readonly before: ReadonlyMap<string, MapEdge>;
  /** Edges of the other range that this one has not. */
  readonly gone: readonly MapEdge[];
  /** For rates: lengths of the other range over that of this one. */
  readonly seconds: number;
}

export function compareGraphs(now: MapGraph, before: MapGraph, seconds: number): GraphComparison {
  const present = new Set(now.edges.map(({ id }) => id));
  return {
    before: new Map(before.edges.map((edge) => [edge.id, edge])),
    gone: before.edges.filter(({ id }) => !present.has(id)),
    seconds,
  };
}
