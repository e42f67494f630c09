/** Where the time of a trace went, by service and by span name. */
import type { TraceModel } from "./model.ts";

/**
 * Per row, the time that none of its children covers, in nanoseconds. One pass: siblings come by start, so a parent remembers up
 * to where its children have covered it. What of a child lies outside of its parent does not count against the parent.
 */
export function buildSelfTimes(model: TraceModel): Float64Array {
  const { start, duration, parent, rowCount } = model;
  const self = duration.slice(0, rowCount);
  const coveredTo = start.slice(0, rowCount);
  for (let row = 0; row < rowCount; row++) {
    const above = parent[row] ?? -1;
    if (above < 0) continue;
    const from = Math.max(start[row] ?? 0, coveredTo[above] ?? 0);
    const to = Math.min((start[row] ?? 0) + (duration[row] ?? 0), (start[above] ?? 0) + (duration[above] ?? 0));
    if (to <= from) continue;
    self[above] = (self[above] ?? 0) - (to - from);
    coveredTo[above] = to;
  }
  return self;
}

export interface StatisticsRow {
  readonly service: string;
  /** null in a row that sums up a service. */
  readonly name: string | null;
  readonly count: number;
  readonly errorCount: number;
  /** Sum of the durations. Spans that call spans of the same line count twice; self time never does. */
  readonly totalNano: number;
  readonly selfNano: number;
  /** Of the durations, by nearest rank. */
  readonly p50Nano: number;
  readonly p95Nano: number;
  readonly maxNano: number;
  /** The row of the longest span. */
  readonly longestRow: number;
}

/** The value that at least this share of the sorted values does not exceed (nearest rank). */
export function percentileOf(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Rows by (service, name), or by service alone, largest self time first. */
export function buildStatistics(model: TraceModel, by: "service" | "name"): StatisticsRow[] {
  const self = buildSelfTimes(model);
  const nameCount = by === "name" ? Math.max(1, model.names.length) : 1;
  const rowsByKey = new Map<number, number[]>();
  for (let row = 0; row < model.rowCount; row++) {
    const key = (model.service[row] ?? 0) * nameCount + (by === "name" ? (model.name[row] ?? 0) : 0);
    const rows = rowsByKey.get(key);
    if (rows === undefined) rowsByKey.set(key, [row]);
    else rows.push(row);
  }
  return [...rowsByKey.values()].map((rows) => sumUp(model, self, rows, by)).sort((a, b) => b.selfNano - a.selfNano);
}

function sumUp(model: TraceModel, self: Float64Array, rows: readonly number[], by: "service" | "name"): StatisticsRow {
  const durations = Float64Array.from(rows, (row) => model.duration[row] ?? 0);
  const first = rows[0] ?? 0;
  let errorCount = 0;
  let totalNano = 0;
  let selfNano = 0;
  let longestRow = first;
  for (const row of rows) {
    if (model.isError(row)) errorCount++;
    totalNano += model.duration[row] ?? 0;
    selfNano += self[row] ?? 0;
    if ((model.duration[row] ?? 0) > (model.duration[longestRow] ?? 0)) longestRow = row;
  }
  durations.sort();
  return {
    service: model.serviceName(first),
    name: by === "name" ? model.spanName(first) : null,
    count: rows.length,
    errorCount,
    totalNano,
    selfNano,
    p50Nano: percentileOf(durations, 0.5),
    p95Nano: percentileOf(durations, 0.95),
    maxNano: durations.at(-1) ?? 0,
    longestRow,
  };
}
