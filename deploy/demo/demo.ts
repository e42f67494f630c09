/** The demo: fills the recent past with traffic, then goes on at a steady rate. */
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import { Random } from "./random.ts";
import { SCENARIOS, mailBatch } from "./scenarios.ts";
import type { Outbox } from "./scenarios.ts";
import { sendSpans } from "./sender.ts";
import { TraceBuilder } from "./trace-builder.ts";
import type { DemoSpan } from "./trace-builder.ts";

export interface DemoOptions {
  /** An OTLP/HTTP endpoint, without the path. */
  readonly endpoint: string;
  readonly tracesPerSecond: number;
  /** How much of the past to fill first. */
  readonly backfillMinutes: number;
  readonly seed: number;
  readonly log: Log;
  /** Called after each delivery with the totals so far; `done` and `total` count traces of the backfill. */
  readonly onProgress?: (progress: { done: number; total: number; spanCount: number }) => void;
}

/** Mails are sent for this many orders at a time. */
const MAIL_BATCH = 5;
/** The past is filled at a tenth of the live rate, in steps of this many traces. */
const BACKFILL_SHARE = 0.1;
const BACKFILL_STEP = 50;

/** Makes the spans of traces that begin at the given times. */
export class Shop {
  readonly #random: Random;
  #outbox: Outbox = [];

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  traces(startsMs: readonly number[]): DemoSpan[] {
    return startsMs.flatMap((startMs) => this.#trace(startMs));
  }

  #trace(startMs: number): DemoSpan[] {
    const trace = new TraceBuilder(this.#random);
    let draw = this.#random.next() * SCENARIOS.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, scenario] of SCENARIOS) {
      draw -= weight;
      if (draw >= 0) continue;
      scenario(trace, startMs, this.#outbox);
      break;
    }
    if (this.#outbox.length < MAIL_BATCH) return trace.spans;
    const mail = new TraceBuilder(this.#random);
    mailBatch(mail, startMs + 2000, this.#outbox);
    this.#outbox = [];
    return [...trace.spans, ...mail.spans];
  }
}

/** Resolves once the past is filled; then traffic goes on until `stop`. Rejects where the endpoint refuses the spans. */
export async function startDemo(options: DemoOptions): Promise<Running> {
  const shop = new Shop(options.seed);
  const stopping = new AbortController();
  let spanCount = 0;
  const total = Math.round(options.backfillMinutes * 60 * options.tracesPerSecond * BACKFILL_SHARE);
  const from = Date.now() - options.backfillMinutes * 60_000;
  for (let done = 0; done < total; done += BACKFILL_STEP) {
    const count = Math.min(BACKFILL_STEP, total - done);
    const starts = Array.from(
      { length: count },
      (_, index) => from + ((done + index) / total) * options.backfillMinutes * 60_000,
    );
    spanCount += await sendSpans(options.endpoint, shop.traces(starts));
    options.onProgress?.({ done: done + count, total, spanCount });
  }
  const live = runLive(options, shop, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await live;
    },
  };
}

/** Sends what has become due each half second; a refusal is logged and traffic goes on, as in real life. */
async function runLive(options: DemoOptions, shop: Shop, signal: AbortSignal): Promise<void> {
  const stepMs = 500;
  let dueMs = Date.now();
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, stepMs));
    const nowMs = Date.now();
    const count = Math.floor(((nowMs - dueMs) / 1000) * options.tracesPerSecond);
    if (count === 0 || signal.aborted) continue;
    const gapMs = (nowMs - dueMs) / count;
    // A trace is sent when it is over: most last less than three seconds.
    const starts = Array.from({ length: count }, (_, index) => dueMs + index * gapMs - 3000);
    dueMs = nowMs;
    try {
      await sendSpans(options.endpoint, shop.traces(starts));
    } catch (error) {
      options.log.warn({ reason: messageOf(error) }, "the demo could not deliver its spans");
    }
  }
}
