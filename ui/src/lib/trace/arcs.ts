/**
 * Span links within a trace as arcs: from the end of the span that is linked to (a producer, say) to the start of the span that links
 * (its consumer). What lies between is how long the message waited. Calls from a producer to a consumer below it wait the same way.
 */
import type { TraceLink } from "@callchain/schemas/api/analysis.ts";
import { findSpan } from "./find.ts";
import type { TraceModel } from "./model.ts";
import type { VisibleRows } from "./rows.ts";

export interface SpanArc {
  /** Row of the span that is linked to. */
  readonly from: number;
  /** Row of the span that links. */
  readonly to: number;
}

/** More would hide the bars. */
const ARC_COUNT_MAX = 500;

/** Links both ends of which are in this trace, and consumers below producers, each pair once. */
export function buildArcs(model: TraceModel, links: readonly TraceLink[]): SpanArc[] {
  const arcs = new Map<string, SpanArc>();
  const add = (from: number, to: number): void => {
    if (from >= 0 && to >= 0 && from !== to && arcs.size < ARC_COUNT_MAX) arcs.set(`${from}-${to}`, { from, to });
  };
  for (const { source, target } of links) {
    if (target.traceId === source.traceId) add(findSpan(model, target.spanId), findSpan(model, source.spanId));
  }
  for (let row = 0; row < model.rowCount && arcs.size < ARC_COUNT_MAX; row++) {
    const parent = model.parent[row] ?? -1;
    if (parent >= 0 && model.kind(row) === "consumer" && model.kind(parent) === "producer") add(parent, row);
  }
  return [...arcs.values()];
}

/** Nanoseconds from the producer's end to the consumer's start; negative where the consumer began before. */
export function waitOf(model: TraceModel, { from, to }: SpanArc): number {
  return (model.start[to] ?? 0) - (model.start[from] ?? 0) - (model.duration[from] ?? 0);
}

/** For each row that stands at an end of an arc, the line that shows it: its own, its group's, or that of the ancestor it is folded into. */
export function linesOfArcs(
  model: TraceModel,
  visible: VisibleRows,
  kinOf: (row: number) => number,
  arcs: readonly SpanArc[],
): Map<number, number> {
  const indexOfLine = new Map<number, number>();
  const wanted = new Set<number>();
  for (const { from, to } of arcs) {
    for (const end of [from, to]) {
      for (let row = end; row >= 0; row = model.parent[row] ?? -1) wanted.add(row).add(~kinOf(row));
    }
  }
  for (let index = 0; index < visible.count && arcs.length > 0; index++) {
    const line = visible.lines[index] ?? 0;
    if (wanted.has(line)) indexOfLine.set(line, index);
  }
  const lines = new Map<number, number>();
  for (const { from, to } of arcs) {
    for (const end of [from, to]) {
      for (let row = end; row >= 0; row = model.parent[row] ?? -1) {
        const index = indexOfLine.get(row) ?? indexOfLine.get(~kinOf(row));
        if (index === undefined) continue;
        lines.set(end, index);
        break;
      }
    }
  }
  return lines;
}
