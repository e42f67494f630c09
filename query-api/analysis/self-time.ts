/** Self time: how much of a span's duration none of its children covers. */

export interface SelfTimeInput {
  /** By pre-order position: position of the parent, or -1; a parent comes before its children, siblings ascend by `start`. */
  readonly parent: Int32Array;
  /** By pre-order position, nanoseconds on one clock. */
  readonly start: Float64Array;
  readonly duration: Float64Array;
}

/** By pre-order position. What children do outside of their parent does not count; siblings that overlap count once. */
export function computeSelfTime(input: SelfTimeInput): Float64Array {
  const { parent, start, duration } = input;
  const count = parent.length;
  const self = Float64Array.from(duration);
  /** Up to where the children seen so far cover each span. */
  const coveredTo = Float64Array.from(start);
  for (const at of inStartOrder(input)) {
    const above = parent[at] ?? -1;
    if (above < 0) continue;
    const aboveEnd = (start[above] ?? 0) + (duration[above] ?? 0);
    const from = Math.max(start[at] ?? 0, coveredTo[above] ?? 0);
    const to = Math.min((start[at] ?? 0) + (duration[at] ?? 0), aboveEnd);
    if (to <= from) continue;
    self[above] = (self[above] ?? 0) - (to - from);
    coveredTo[above] = to;
  }
  for (let at = 0; at < count; at += 1) if ((self[at] ?? 0) < 0) self[at] = 0;
  return self;
}

/** Pre-order already has siblings by raw start; only clocks that were corrected can upset that. */
function inStartOrder({ parent, start }: SelfTimeInput): Iterable<number> {
  const last = new Float64Array(parent.length).fill(Number.NEGATIVE_INFINITY);
  let isOrdered = true;
  for (let at = 0; at < parent.length && isOrdered; at += 1) {
    const above = parent[at] ?? -1;
    if (above < 0) continue;
    isOrdered = (last[above] ?? 0) <= (start[at] ?? 0);
    last[above] = start[at] ?? 0;
  }
  const positions = new Uint32Array(parent.length).map((_, at) => at);
  return isOrdered ? positions : positions.sort((a, b) => (start[a] ?? 0) - (start[b] ?? 0) || a - b);
}
