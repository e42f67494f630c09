/**
 * Calls, messages and peers among spans: what the fresh ones add to what the context says alone, or take back from it. Pure.
 *
 *   call      cart(client) -> payment(server)     counted for the callee's span; failed where it or the client span above it did
 *   handover  a consumer that names no topic, below a span of another service or linked to a producer that names none either
 *   database, publish, consume, external, named   what the attributes name; of a client span only while no span of the callee answers:
 *             a server span below it, or one of any kind in another service. When the answer comes, the fact is taken back
 *   consume   also: a span that links to producers, or a consumer that names no topic: the topic is the producer's
 *
 * Every fact is counted in the minute in which its own span began, and has its duration. A span that was sent several times counts once.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EdgeSeries, type Edge, type EdgeCounts, type EdgeRole } from "./edge-series.ts";
import { IdIndex } from "./id-index.ts";
import { readPeer, type Peer } from "./peers.ts";
import { LINGER_MS, REACH_MS, SKEW_MS } from "./rules.ts";

/** One row per span, the context's before the fresh ones; ids are hashes of 64 bits in two words. */
export interface EdgeSpans {
  readonly count: number;
  readonly ids: Uint32Array;
  /** Zero: none. */
  readonly parents: Uint32Array;
  /** 16 bytes each. */
  readonly traceIds: Uint8Array;
  readonly services: readonly string[];
  readonly service: Uint32Array;
  /** 0 unset, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: Uint8Array;
  /** 2: error. */
  readonly status: Uint8Array;
  readonly startMs: Float64Array;
  readonly durationNano: Float64Array;
  readonly bucket: Uint16Array;
  /** PEER_TEXT_SQL of clients, producers and consumers. */
  readonly peerTexts: readonly string[];
  readonly peer: Uint32Array;
  readonly isFresh: Uint8Array;
  /** Its facts are asked for. */
  readonly isWanted: Uint8Array;
  /** For each row where its own of the following two end: the ids that a span links to, unless it is a client or producer. */
  readonly linkEnds: Uint32Array;
  readonly linkedIds: Uint32Array;
  /** 16 bytes each. */
  readonly linkedTraceIds: Uint8Array;
}

const KIND = { server: 2, client: 3, producer: 4, consumer: 5 } as const;
const TURN_MS = 10;
const ROWS_PER_LOOK = 4096;

/**
 * Ids of spans from which a message may have come, to a fresh span or to one that has had a message from a fresh span, and that are not among
 * these; with their trace ids, in hex.
 */
export function findMissingSenders(spans: EdgeSpans): Map<bigint, string> {
  const counter = new EdgeCounter(spans);
  for (let row = 0; row < spans.count; row += 1) counter.index(row);
  return counter.missingSenders();
}

/** Lets other work have its turn every few milliseconds. */
export async function countEdges(spans: EdgeSpans): Promise<EdgeCounts[]> {
  const counter = new EdgeCounter(spans);
  await inTurns(spans.count, (row) => counter.index(row));
  await inTurns(spans.count, (row) => counter.pair(row));
  await inTurns(spans.count, (row) => counter.namePeer(row));
  counter.receive();
  return counter.counts();
}

async function inTurns(count: number, each: (row: number) => void): Promise<void> {
  let turnMs = performance.now();
  for (let row = 0; row < count; row += 1) {
    each(row);
    if (row % ROWS_PER_LOOK !== 0 || performance.now() - turnMs < TURN_MS) continue;
    await nextTurn();
    turnMs = performance.now();
  }
}

/** Of an id among many, and of its trace's. */
interface Place {
  readonly ids: Uint32Array;
  readonly traceIds: Uint8Array;
  readonly at: number;
}

/** What is known of a client span's answers. */
const ANSWERED = 1;
const ANSWERED_BEFORE = 2;

class EdgeCounter {
  readonly #spans: EdgeSpans;
  readonly #rows: IdIndex;
  readonly #isCopy: Uint8Array;
  readonly #answers: Uint8Array;
  readonly #series = new Map<string, EdgeSeries>();
  /** By both services, so that no text is made for each call. */
  readonly #calls = new Map<number, EdgeSeries>();
  /** By kind, text and service, likewise. */
  readonly #peerSeries = new Map<number, EdgeSeries | null>();
  readonly #peers = new Map<number, Peer>();

  constructor(spans: EdgeSpans) {
    this.#spans = spans;
    this.#rows = new IdIndex(spans.ids);
    this.#isCopy = new Uint8Array(spans.count);
    this.#answers = new Uint8Array(spans.count);
  }

  index(row: number): void {
    if (this.#rows.add(row) !== row) this.#isCopy[row] = 1;
  }

  /** The call or answer that this span is to its parent. */
  pair(row: number): void {
    const { parents, service, kind, isFresh, isWanted, startMs, durationNano } = this.#spans;
    if (this.#isCopy[row] === 1) return;
    const above = this.#find(parents, row);
    if (above < 0) return;
    const sinceMs = (startMs[row] ?? 0) - (startMs[above] ?? 0);
    const reachMs = Math.min(Math.floor((durationNano[above] ?? 0) / 1e6), LINGER_MS);
    if (sinceMs < -SKEW_MS || sinceMs > reachMs + SKEW_MS) return;
    const isCrossing = service[row] !== service[above];
    const isNew = isFresh[row] === 1 || isFresh[above] === 1;
    const isCounted = isCrossing && isNew && isWanted[row] === 1;
    if (kind[row] === KIND.consumer) {
      if (isCounted && kind[above] !== KIND.producer && this.#peerOf(row).topic === "") {
        this.#add(this.#serviceEdge("handover", above, row), row, 1, this.#isFailed(row));
      }
      return;
    }
    const isFailed = this.#isFailed(row) || (kind[above] === KIND.client && this.#isFailed(above));
    if (isCounted) this.#add(this.#call(above, row), row, 1, isFailed);
    const isServing = kind[row] === KIND.server || kind[row] === 0;
    if (kind[above] !== KIND.client || !(isCrossing || isServing)) return;
    this.#answers[above] = (this.#answers[above] ?? 0) | ANSWERED | (isNew ? 0 : ANSWERED_BEFORE);
  }

  /** The peer that this span's attributes name; needs all answers. */
  namePeer(row: number): void {
    const { kind, isFresh, isWanted } = this.#spans;
    const own = kind[row] ?? 0;
    if (own < KIND.client || isWanted[row] !== 1 || this.#isCopy[row] === 1) return;
    const answers = this.#answers[row] ?? 0;
    const isNow = (answers & ANSWERED) === 0;
    const wasBefore = isFresh[row] !== 1 && (answers & ANSWERED_BEFORE) === 0;
    if (isNow === wasBefore) return;
    const series = this.#peerSeriesOf(row, own);
    if (series !== null) this.#add(series, row, isNow ? 1 : -1, this.#isFailed(row));
  }

  /** Messages whose topic only their producers know. */
  receive(): void {
    const { kind } = this.#spans;
    this.#eachReceiver((row, above) => {
      const senders = above.map(({ ids, at }) => this.#find(ids, at)).filter((sender) => kind[sender] === KIND.producer);
      if (senders.length > 0) this.#receiveFrom(row, senders);
    });
  }

  missingSenders(): Map<bigint, string> {
    const { isFresh } = this.#spans;
    const missing = new Map<bigint, string>();
    this.#eachReceiver((row, above) => {
      const isConcerned = isFresh[row] === 1 || above.some(({ ids, at }) => isFresh[this.#find(ids, at)] === 1);
      if (!isConcerned) return;
      for (const { ids, traceIds, at } of above) {
        if (this.#find(ids, at) >= 0) continue;
        missing.set((BigInt(ids[at * 2 + 1] ?? 0) << 32n) | BigInt(ids[at * 2] ?? 0), hexOf(traceIds, at));
      }
    });
    missing.delete(0n);
    return missing;
  }

  /** Every span that may have received messages without saying of which topic, and the places of the ids above it. */
  #eachReceiver(each: (row: number, above: readonly Place[]) => void): void {
    const { parents, traceIds, linkEnds, linkedIds, linkedTraceIds, kind, count } = this.#spans;
    for (let row = 0, link = 0; row < count; row += 1) {
      const end = linkEnds[row] ?? 0;
      const isConsumer = kind[row] === KIND.consumer;
      if ((isConsumer || link < end) && this.#isReceiver(row)) {
        const above: Place[] = isConsumer ? [{ ids: parents, traceIds, at: row }] : [];
        for (let at = link; at < end; at += 1) above.push({ ids: linkedIds, traceIds: linkedTraceIds, at });
        each(row, above);
      }
      link = end;
    }
  }

  counts(): EdgeCounts[] {
    const { traceIds } = this.#spans;
    return [...this.#series.values()].flatMap((series) => [...series.counts((row) => hexOf(traceIds, row))]);
  }

  #isReceiver(row: number): boolean {
    const { kind, isWanted } = this.#spans;
    if (isWanted[row] !== 1 || this.#isCopy[row] === 1) return false;
    const own = kind[row] ?? 0;
    return own < KIND.client || (own === KIND.consumer && this.#peerOf(row).topic === "");
  }

  /** Once for each topic, and for each service that named none. */
  #receiveFrom(row: number, senders: readonly number[]): void {
    const { isFresh, service, startMs } = this.#spans;
    const found = new Map<string, { readonly series: EdgeSeries; isCounted: boolean }>();
    for (const sender of senders) {
      const waitedMs = (startMs[row] ?? 0) - (startMs[sender] ?? 0);
      const { topic } = this.#peerOf(sender);
      if (waitedMs < -SKEW_MS || waitedMs > REACH_MS || (topic === "" && service[sender] === service[row])) continue;
      const series =
        topic === ""
          ? this.#serviceEdge("handover", sender, row)
          : this.#seriesOf({ role: "consume", caller: topic, callee: this.#serviceOf(row), system: "" });
      const key = keyOf(series.edge);
      const known = found.get(key) ?? { series, isCounted: false };
      if (isFresh[row] !== 1 && isFresh[sender] !== 1) known.isCounted = true;
      found.set(key, known);
    }
    for (const { series, isCounted } of found.values()) if (!isCounted) this.#add(series, row, 1, this.#isFailed(row));
  }

  #add(series: EdgeSeries, row: number, weight: 1 | -1, isError: boolean): void {
    const { startMs, bucket, durationNano } = this.#spans;
    series.add(Math.floor((startMs[row] ?? 0) / 60_000), isError, bucket[row] ?? 0, weight, durationNano[row] ?? 0, row);
  }

  #isFailed(row: number): boolean {
    return this.#spans.status[row] === 2;
  }

  #serviceOf(row: number): string {
    return this.#spans.services[this.#spans.service[row] ?? 0] ?? "";
  }

  /** The row whose id is at this place, or -1. */
  #find(ids: Uint32Array, at: number): number {
    const low = ids[at * 2] ?? 0;
    const high = ids[at * 2 + 1] ?? 0;
    return low === 0 && high === 0 ? -1 : this.#rows.find(low, high);
  }

  #call(above: number, row: number): EdgeSeries {
    const { service, services } = this.#spans;
    const key = (service[above] ?? 0) * services.length + (service[row] ?? 0);
    let series = this.#calls.get(key);
    if (series === undefined) this.#calls.set(key, (series = this.#serviceEdge("call", above, row)));
    return series;
  }

  #serviceEdge(role: EdgeRole, above: number, row: number): EdgeSeries {
    return this.#seriesOf({ role, caller: this.#serviceOf(above), callee: this.#serviceOf(row), system: "" });
  }

  #peerOf(row: number): Peer {
    const { kind, peer, peerTexts } = this.#spans;
    const key = (peer[row] ?? 0) * 8 + (kind[row] ?? 0);
    let known = this.#peers.get(key);
    if (known === undefined) this.#peers.set(key, (known = readPeer(kind[row] ?? 0, peerTexts[peer[row] ?? 0] ?? "{}")));
    return known;
  }

  /** null: its attributes name nothing. */
  #peerSeriesOf(row: number, kind: number): EdgeSeries | null {
    const { peer, service, services } = this.#spans;
    const key = ((peer[row] ?? 0) * 8 + kind) * services.length + (service[row] ?? 0);
    const known = this.#peerSeries.get(key);
    if (known !== undefined) return known;
    const { role, name, system } = this.#peerOf(row);
    const own = this.#serviceOf(row);
    const ends = role === "consume" ? { caller: name, callee: own } : { caller: own, callee: name };
    const series = role === "none" ? null : this.#seriesOf({ role, ...ends, system });
    this.#peerSeries.set(key, series);
    return series;
  }

  #seriesOf(edge: Edge): EdgeSeries {
    const key = keyOf(edge);
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, (series = new EdgeSeries(edge)));
    return series;
  }
}

/** The trace id at this place. */
function hexOf(traceIds: Uint8Array, at: number): string {
  return Buffer.from(traceIds.buffer, traceIds.byteOffset + at * 16, 16).toString("hex");
}

function keyOf({ role, caller, callee, system }: Edge): string {
  return JSON.stringify([role, caller, callee, system]);
}
