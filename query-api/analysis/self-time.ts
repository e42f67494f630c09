/** Self time: how much of a span's duration none of its children covers. */
import { countUp } from "./rows.ts";
import type { CallTree } from "./tree.ts";

/** By pre-order position, on adjusted clocks. What children do outside of their parent does not count; siblings that overlap count once. */
export function computeSelfTime({ parent, adjustedStart: start, duration }: CallTree): Float64Array {
  const self = duration.slice();
  /** Up to where the children seen so far cover each span. */
  const coveredTo = start.slice();
  for (const at of inStartOrder(parent, start)) {
    const above = parent[at] ?? -1;
    if (above < 0) continue;
    const aboveEnd = (start[above] ?? 0) + (duration[above] ?? 0);
    const from = Math.max(start[at] ?? 0, coveredTo[above] ?? 0);
    const to = Math.min((start[at] ?? 0) + (duration[at] ?? 0), aboveEnd);
    if (to <= from) continue;
    self[above] = (self[above] ?? 0) - (to - from);
    coveredTo[above] = to;
  }
  for (let at = 0; at < self.length; at += 1) if ((self[at] ?? 0) < 0) self[at] = 0;
  return self;
}

/** Pre-order already has siblings by raw start; only clocks that were corrected can upset that. */
function inStartOrder(parent: Int32Array, start: Float64Array): Uint32Array {
  const last = new Float64Array(parent.length).fill(Number.NEGATIVE_INFINITY);
  let isOrdered = true;
  for (let at = 0; at < parent.length && isOrdered; at += 1) {
    const above = parent[at] ?? -1;
    if (above < 0) continue;
    isOrdered = (last[above] ?? 0) <= (start[at] ?? 0);
    last[above] = start[at] ?? 0;
  }
  const positions = countUp(parent.length);
  return isOrdered ? positions : positions.sort((a, b) => (start[a] ?? 0) - (start[b] ?? 0) || a - b);
}
