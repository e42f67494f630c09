/** One consumer's reading of the log: assign, deliver, idle, and again from the rows after a failure. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import type { LogConsumer } from "@callchain/schemas/span/ports.ts";
import type { SegmentReader } from "./segment-reader.ts";

const PARTITION = 0;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;

interface Consumption {
  readonly consumer: LogConsumer;
  readonly signal: AbortSignal;
  readonly reader: SegmentReader;
  readonly logger: Log;
  /** Makes sure that no record of this life lies below `wanted` unstored, where `wanted` is beyond the log's end. */
  readonly align: (wanted: bigint) => Promise<void>;
  /** Resolves when records at `position` or behind it may be there, or the signal aborts. */
  readonly arrival: (position: bigint, signal: AbortSignal) => Promise<void>;
}

/** Runs until the signal aborts; rejects only where revoke does. */
export async function consumeLog(options: Consumption): Promise<void> {
  const { consumer, signal, reader, logger } = options;
  let backoffMs = BACKOFF_FIRST_MS;
  let isAssigned = false;
  while (!signal.aborted) {
    try {
      const wanted = await consumer.assign(PARTITION);
      isAssigned = true;
      await options.align(wanted);
      await deliverFrom(options, wanted, () => {
        backoffMs = BACKOFF_FIRST_MS;
      });
    } catch (error) {
      if (signal.aborted) break;
      logger.warn({ reason: messageOf(error), retryAfterMs: backoffMs }, "the log's reader starts again from the rows");
      await sleep(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    } finally {
      await reader.close();
    }
  }
  if (isAssigned) await consumer.revoke(PARTITION);
}

async function deliverFrom(options: Consumption, wanted: bigint, onDelivered: () => void): Promise<void> {
  const { consumer, signal, reader } = options;
  let position = wanted;
  while (!signal.aborted) {
    const { records, next } = await reader.read(position);
    if (records.length === 0) {
      if (next === position) {
        consumer.idle(PARTITION);
        await options.arrival(position, signal);
      }
      position = next;
      continue;
    }
    position = next;
    await untilAborted(consumer.deliver(PARTITION, records), signal);
    onDelivered();
  }
}

/** Settles with the work, or at once when the signal aborts: the consumer's `revoke` then waits for what is in flight. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    work.catch(() => undefined);
    return;
  }
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
