/**
 * Which spans a count of edges is about, and which others it must know for that. Fresh spans are those whose facts are wanted: in a step those
 * that arrived since the last one, in a question those that no step has counted, or those of a stretch of time. Relatives that were counted
 * before are the context.
 */
import { LINGER_MS, REACH_MS, SKEW_MS } from "./rules.ts";

const NANO_PER_MS = 1_000_000n;
/** Rules are about whole milliseconds. */
const SLACK_NANO = 1_000n * NANO_PER_MS;
export const SKEW_NANO = BigInt(SKEW_MS) * NANO_PER_MS + SLACK_NANO;
export const REACH_NANO = BigInt(REACH_MS) * NANO_PER_MS + SLACK_NANO;
export const LINGER_NANO = BigInt(LINGER_MS) * NANO_PER_MS;
/** Longer spans are rare, and are looked for one by one. */
export const LONG_NANO = 60_000n * NANO_PER_MS;
/** Between a span and the relatives of its relatives, where none is long. */
export const NEAR_NANO = 2n * SKEW_NANO + LONG_NANO;

/** Nanoseconds since 1970, `to` not included. */
export interface Stretch {
  readonly from: bigint;
  readonly to: bigint;
}

export interface EdgeScope {
  /** Condition of the fresh spans. */
  readonly fresh: string;
  /** Condition of the spans that are context, wherever they are in time; null: there are none. */
  readonly context: string | null;
  /** All that the context says alone was counted before. Else it is as good as fresh. */
  readonly isContextCounted: boolean;
  /** Condition on the `start` of the span that a fact is counted for. */
  readonly facts: string;
  readonly near: readonly Stretch[];
  /** Of these the one that most of the fresh spans lie in; null: there are none. */
  readonly bulk: Stretch | null;
  /** Traces that have relatives elsewhere; there only these are read. */
  readonly far: { readonly traceIds: readonly string[]; readonly stretches: readonly Stretch[] };
  /** Where receivers may be that link to fresh senders; empty: there are no fresh senders. */
  readonly receivers: readonly Stretch[];
  /** Where senders may be whose messages were received; empty: there are neither senders nor receivers. */
  readonly senders: readonly Stretch[];
}

export const SELF = "cityHash64(trace_id, span_id)";
export const PARENT = "cityHash64(trace_id, parent_span_id)";
export const HAS_PARENT = "parent_span_id != toFixedString('', 8)";

/** In order, none touching another. */
export function mergeStretches(stretches: readonly Stretch[]): Stretch[] {
  const merged: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of stretches.toSorted((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    const last = merged.at(-1);
    if (last === undefined || from > last.to) merged.push({ from, to });
    else if (to > last.to) last.to = to;
  }
  return merged;
}

/** The parts of `stretches` outside `others`; both are merged ones. */
export function subtractStretches(stretches: readonly Stretch[], others: readonly Stretch[]): Stretch[] {
  return others.reduce<Stretch[]>(
    (rest, other) =>
      rest.flatMap(({ from, to }) =>
        [
          { from, to: to < other.from ? to : other.from },
          { from: from > other.to ? from : other.to, to },
        ].filter((part) => part.from < part.to),
      ),
    [...stretches],
  );
}

/** `stretches` are merged ones. */
export function covers(stretches: readonly Stretch[], { from, to }: Stretch): boolean {
  return stretches.some((one) => one.from <= from && to <= one.to);
}

/** Where DateTime64(9) ends, in 2262. */
const INSTANT_NANO_MAX = 2n ** 63n - 1n;

/** `start` as a condition that the order of the spans serves. */
export function startsIn(stretches: readonly Stretch[]): string {
  const instant = (nano: bigint): string =>
    `fromUnixTimestamp64Nano(toInt64(${nano < 0n ? 0n : nano > INSTANT_NANO_MAX ? INSTANT_NANO_MAX : nano}))`;
  if (stretches.length === 0) return "0";
  return `(${stretches.map(({ from, to }) => `(start >= ${instant(from)} AND start < ${instant(to)})`).join(" OR ")})`;
}

export function startsSince(instant: bigint): string {
  return startsIn([{ from: instant, to: INSTANT_NANO_MAX }]);
}

/** Of the fresh spans. */
export function touchedTraces({ fresh }: Pick<EdgeScope, "fresh">): string {
  return `SELECT trace_id FROM spans WHERE ${fresh}`;
}
