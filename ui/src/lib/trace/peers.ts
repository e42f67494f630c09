/** Peers of a span: those of the same service and name around the same time. */
import type { SpanDetail } from "@callchain/schemas/api/traces.ts";

const HOUR_NANO = 3_600_000_000_000n;
/** The last instant that is stored: 2262-04-11. */
const NANO_MAX = 9_223_372_036_854_775_807n;

/** In an address a character takes up to nine bytes, and servers take 16 KiB of all headers. */
const NAMES_LENGTH_MAX = 1_000;

export interface PeerQuestion {
  readonly service: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** The parameters of `GET /latency` for the peers of a span, an hour to both sides; null where its names are too long to ask by. */
export function peerQuestion(span: Pick<SpanDetail, "service" | "name" | "startNano">): PeerQuestion | null {
  if (span.service.length + span.name.length > NAMES_LENGTH_MAX) return null;
  const start = BigInt(span.startNano);
  const from = start > HOUR_NANO ? start - HOUR_NANO : 0n;
  const to = start < NANO_MAX - HOUR_NANO ? start + HOUR_NANO : NANO_MAX;
  return { service: span.service, name: span.name, from: `${from}`, to: `${to}` };
}

/**
 * The share of the other peers that took less time, from the count of all and of those that took at least as long, the span itself in
 * both; null where it has no peer.
 */
export function shareOfShorter(allCount: number, atLeastCount: number): number | null {
  if (allCount < 2) return null;
  return Math.min(1, Math.max(0, (allCount - Math.max(1, atLeastCount)) / (allCount - 1)));
}
