/** What the writer tells about itself. */
import { Counter, Gauge, Histogram, type Registry } from "@callchain/schemas/runtime/metrics.ts";

export interface WriteMetrics {
  readonly rows: Counter;
  readonly blocks: Counter;
  readonly insertSeconds: Histogram;
  readonly insertFailures: Counter<"code">;
  readonly deadLetters: Counter;
  readonly rejectedSpans: Counter;
  readonly bufferedRows: Gauge<"partition">;
  readonly nextOffset: Gauge<"partition">;
  readonly lagSeconds: Gauge<"partition">;
}

export function registerWriteMetrics(registry: Registry): WriteMetrics {
  const registers = [registry];
  const prefix = "callchain_writer";
  return {
    rows: new Counter({ name: `${prefix}_spans_total`, help: "Spans stored.", registers }),
    blocks: new Counter({ name: `${prefix}_blocks_total`, help: "Blocks stored, one insert each.", registers }),
    insertSeconds: new Histogram({
      name: `${prefix}_insert_seconds`,
      help: "Time of an insert that succeeded, sync to disk included.",
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16],
      registers,
    }),
    insertFailures: new Counter({
      name: `${prefix}_insert_failures_total`,
      help: "Inserts that failed or whose outcome was in doubt, by class of failure; each is resolved from the rows.",
      labelNames: ["code"],
      registers,
    }),
    deadLetters: new Counter({
      name: `${prefix}_dead_letters_total`,
      help: "Log records that could not be decoded, kept in dead_letters.",
      registers,
    }),
    rejectedSpans: new Counter({
      name: `${prefix}_rejected_spans_total`,
      help: "Spans left out of records that had not passed a receiver's checks.",
      registers,
    }),
    bufferedRows: new Gauge({
      name: `${prefix}_buffered_spans`,
      help: "Spans taken from the log and not yet stored.",
      labelNames: ["partition"],
      registers,
    }),
    nextOffset: new Gauge({
      name: `${prefix}_next_offset`,
      help: "Log offset after the last one stored (the high-water mark, plus one).",
      labelNames: ["partition"],
      registers,
    }),
    lagSeconds: new Gauge({
      name: `${prefix}_lag_seconds`,
      help: "How long the oldest span of the newest block waited here until it was stored.",
      labelNames: ["partition"],
      registers,
    }),
  };
}
