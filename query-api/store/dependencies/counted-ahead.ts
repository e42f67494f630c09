/** Having spans counted instead of joining them for one question alone: who asks next finds them counted. */
import { setTimeout as delay } from "node:timers/promises";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { startsIn } from "@callchain/schemas/clickhouse/edges/scope.ts";
import { positionsBetween } from "@callchain/schemas/clickhouse/log-positions.ts";
import type { CallCounter } from "@callchain/schemas/span/ports.ts";
import { unixNanoFromMs, type UnixNano } from "@callchain/schemas/span/time.ts";
import { findEnds } from "../counted-ends.ts";
import type { Asking } from "../range.ts";
import type { RollupPlan } from "../rollup-plan.ts";
import { nearOf, readStoredEnds } from "./raw-edges.ts";

/** Fewer are joined sooner than a step is taken. */
const SPAN_COUNT_MIN = 10_000;
/** A step takes a second at most, and one may be under way. */
const WAIT_MAX_MS = 2_500;
/** Fewer milliseconds ago: what was stored since is left to the next answer, which waits for nothing then. */
const RECENT_MS = 10_000;

/** While spans arrive by the ten thousand: the instant before which everything that was stored is counted, where that is a moment ago. Else null. */
export function countedUntil(callCounter: CallCounter | null): UnixNano | null {
  const untilMs = callCounter?.countedUntilMs ?? 0;
  return Date.now() - untilMs < RECENT_MS ? unixNanoFromMs(untilMs) : null;
}

/** Whether every span that was stored at the call, and says something of the plan's minutes, is counted now. */
export async function isCountedAhead(
  { minutes }: RollupPlan,
  callCounter: CallCounter | null,
  asking: Asking,
  scans: ScanFigures[],
): Promise<boolean> {
  if (callCounter === null) return false;
  const [{ ends }, stored] = await Promise.all([findEnds("edge_rollups", asking), readStoredEnds(asking, scans)]);
  if (![...stored].some(([partition, end]) => end > (ends.get(partition) ?? 0n))) return false;
  const { rows, scan } = await asking.database.query<{ n: string }>(
    `SELECT count() AS n FROM spans WHERE ${positionsBetween(ends, stored)} AND ${startsIn(minutes.map(nearOf))}`,
    { signal: asking.signal },
  );
  scans.push(scan);
  if (Number(rows[0]?.n ?? 0) < SPAN_COUNT_MIN) return false;
  const waited = new AbortController();
  try {
    const signal = AbortSignal.any([asking.signal, waited.signal]);
    return await Promise.race([callCounter.countNow(), delay(WAIT_MAX_MS, false, { signal })]);
  } finally {
    waited.abort();
  }
}
