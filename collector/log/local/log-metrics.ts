/** The local log's metrics, read when they are scraped: appending pays nothing for them. */
import { Counter, Gauge, type Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { Committer } from "./committer.ts";
import type { Segments } from "./segments.ts";

interface LogParts {
  readonly segments: Segments;
  readonly committer: Committer;
  readonly damagedByteCount: () => number;
}

export function registerLogMetrics(registry: Registry, { segments, committer, damagedByteCount }: LogParts): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const metric: Gauge = new Gauge({ name, help, registers: [registry], collect: () => metric.set(read()) });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    const metric: Counter = new Counter({
      name,
      help,
      registers: [registry],
      collect: () => {
        metric.reset();
        metric.inc(read());
      },
    });
  };
  gauge("callchain_log_unreleased_bytes", "Bytes on disk of requests not yet stored", () => segments.unreleasedBytes);
  gauge("callchain_log_queued_bytes", "Bytes waiting to be synced", () => committer.queuedBytes);
  gauge("callchain_log_segments", "Segment files", () => segments.count);
  counter("callchain_log_records_total", "Requests synced", () => committer.counts.recordCount);
  counter("callchain_log_bytes_total", "Bytes synced", () => committer.counts.byteCount);
  counter("callchain_log_batches_total", "Writes, each with one sync", () => committer.counts.batchCount);
  counter("callchain_log_refused_total", "Requests refused at the cap", () => committer.counts.refusedCount);
  counter("callchain_log_failed_total", "Requests refused because the file system failed", () => committer.counts.failedCount);
  counter("callchain_log_damaged_bytes_total", "Bytes of acknowledged requests that could not be read back", damagedByteCount);
}
