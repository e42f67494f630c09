/**
 * What whoever takes one step after the other remembers of the spans that were counted: of the senders of messages, since most that are missing
 * were never stored, as those of traces that were not sampled, and of the traces, since hardly any is older than a few seconds. Without, each
 * step looks for them among all spans of an hour and of some minutes, 20 and 45 ns a span. Nothing is remembered before a step needs it.
 */
import type { EdgeSpans } from "./count-edges.ts";
import { CountedIds, sortedOnce, type IdLimits, type IdSlots } from "./counted-ids.ts";

/** 64 MB: two hours in which 2,200 messages a second are sent. By the lower half of SELF. */
export const REMEMBERED_SENDERS: IdLimits = { slotNano: 60_000_000_000n, idCountMax: 16_000_000 };
/** 16 MB: those of five minutes in which 10,000 begin a second. By traceHalfSql; a span is found by the traces that it links to as well. */
export const REMEMBERED_TRACES: IdLimits = { slotNano: 5_000_000_000n, idCountMax: 4_000_000 };

/** As halfOfTrace. */
export const traceHalfSql = (id: string): string =>
  `toUInt32(bitXor(bitXor(reinterpretAsUInt32(substring(${id}, 1, 4)), reinterpretAsUInt32(substring(${id}, 5, 4))),
    bitXor(reinterpretAsUInt32(substring(${id}, 9, 4)), reinterpretAsUInt32(substring(${id}, 13, 4)))))`;

const PRODUCER = 4;
const NANO_PER_MS = 1_000_000n;

export class StepMemory {
  readonly senders = new CountedIds(REMEMBERED_SENDERS);
  readonly traces = new CountedIds(REMEMBERED_TRACES);

  /** The fresh spans of the step after the one of this number; null: there were none. */
  add(step: bigint, spans: EdgeSpans | null): void {
    if (this.senders.knownSince(step) !== null) this.senders.add(step, slotsOf(spans, REMEMBERED_SENDERS, senderHalves));
    if (this.traces.knownSince(step) !== null) this.traces.add(step, slotsOf(spans, REMEMBERED_TRACES, traceHalves));
  }
}

/** Of trace ids in four words each, in order and each once. */
export function halvesOfTraces(words: Uint32Array): Uint32Array {
  return sortedOnce(Array.from({ length: words.length / 4 }, (_, at) => halfOfTrace(words, at)));
}

/** What is remembered while a step is counted. */
export interface KnownSteps {
  readonly memory: StepMemory;
  /** Number of the last step that the context was counted in. */
  readonly step: bigint;
}

type HalvesOf = (spans: EdgeSpans) => (row: number, add: (half: number) => void) => void;

const senderHalves: HalvesOf = ({ ids, kind }) => {
  return (row, add) => {
    if (kind[row] === PRODUCER) add(ids[row * 2] ?? 0);
  };
};

const traceHalves: HalvesOf = ({ traceIds, linkEnds, linkedTraceIds }) => {
  const own = new Uint32Array(traceIds.buffer);
  const linked = new Uint32Array(linkedTraceIds.buffer);
  return (row, add) => {
    add(halfOfTrace(own, row));
    for (let at = linkEnds[row - 1] ?? 0; at < (linkEnds[row] ?? 0); at += 1) add(halfOfTrace(linked, at));
  };
};

function slotsOf(spans: EdgeSpans | null, { slotNano }: IdLimits, halvesOf: HalvesOf): IdSlots {
  const slotMs = Number(slotNano / NANO_PER_MS);
  const slots = new Map<number, number[]>();
  let [slot, halves]: [number, number[]] = [NaN, []];
  const add = (half: number): void => {
    if (halves.at(-1) !== half) halves.push(half);
  };
  if (spans !== null) {
    const each = halvesOf(spans);
    for (let row = 0; row < spans.count; row += 1) {
      if (spans.isFresh[row] !== 1) continue;
      const own = Math.floor((spans.startMs[row] ?? 0) / slotMs);
      if (own !== slot) {
        slot = own;
        halves = slots.get(slot) ?? [];
        slots.set(slot, halves);
      }
      each(row, add);
    }
  }
  return new Map([...slots].flatMap(([key, all]) => (all.length > 0 ? [[key, sortedOnce(all)]] : [])));
}

/** 32 bits of all 128, wherever in these a trace id has what is its own. */
function halfOfTrace(words: Uint32Array, at: number): number {
  const [a, b, c, d] = [words[at * 4] ?? 0, words[at * 4 + 1] ?? 0, words[at * 4 + 2] ?? 0, words[at * 4 + 3] ?? 0];
  return (a ^ b ^ c ^ d) >>> 0;
}
