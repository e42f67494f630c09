/** Which traces, of how many spans each, the acknowledged requests of a replayed corpus held: what must be found afterwards. */
import { z } from "zod";
import { ExportRequest } from "./otlp-schema.ts";
import { roundMask } from "./replay.ts";

const Ids = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(z.object({ traceId: z.base64() })) })) })),
});

export interface SentTrace {
  readonly traceId: string;
  readonly spanCount: number;
}

/**
 * `acks`: sequence numbers, from 0, of the acknowledged requests, in the order of their acknowledgement. Traces come in that order too,
 * by their first acknowledged request; a trace that was cut between two requests has the spans of those acknowledged.
 */
export type ListSentTraces = (acks: readonly number[]) => SentTrace[];

/** Reads the corpus, which takes a while: before the clock runs. */
export function readSentTraces(corpus: readonly Uint8Array[]): ListSentTraces {
  const counts = corpus.map(countByTrace);
  return (acks) => listTraces(counts, acks);
}

function listTraces(counts: readonly ReadonlyMap<string, number>[], acks: readonly number[]): SentTrace[] {
  const sent = new Map<string, number>();
  for (const sequence of acks) {
    const mask = roundMask(Math.floor(sequence / counts.length) + 1);
    for (const [traceId, count] of counts[sequence % counts.length] ?? []) {
      const replayed = (Number.parseInt(traceId.slice(0, 8), 16) ^ mask) >>> 0;
      const id = replayed.toString(16).padStart(8, "0") + traceId.slice(8);
      sent.set(id, (sent.get(id) ?? 0) + count);
    }
  }
  return [...sent].map(([traceId, spanCount]) => ({ traceId, spanCount }));
}

function countByTrace(request: Uint8Array): Map<string, number> {
  const decoded = ExportRequest.toObject(ExportRequest.decode(Buffer.from(request)), { longs: String, bytes: String });
  const counts = new Map<string, number>();
  for (const { scopeSpans } of Ids.parse(decoded).resourceSpans) {
    for (const { traceId } of scopeSpans.flatMap(({ spans }) => spans)) {
      const id = Buffer.from(traceId, "base64").toString("hex");
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  return counts;
}

/** At most so many, evenly over the list, its last ones among them: what is lost was mostly sent last. */
export function sampleTraces(traces: readonly SentTrace[], countMax: number): SentTrace[] {
  if (traces.length <= countMax) return [...traces];
  const lastCount = Math.floor(countMax / 3);
  const before = traces.slice(0, -lastCount);
  const evenCount = countMax - lastCount;
  const even = Array.from({ length: evenCount }, (_, at) => before[Math.floor((at * before.length) / evenCount)]);
  return [...even.filter((trace) => trace !== undefined), ...traces.slice(-lastCount)];
}
