/** What appending to Kafka tells about itself; the names are those of the local log where they mean the same. */
import { Counter, Gauge, type Registry } from "@callchain/schemas/runtime/metrics.ts";

export interface AppendMetrics {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly refused: Counter;
  readonly failed: Counter;
  readonly inFlightBytes: Gauge;
}

export function registerAppendMetrics(registry: Registry): AppendMetrics {
  const registers = [registry];
  return {
    records: new Counter({ name: "callchain_log_records_total", help: "Records that every replica has", registers }),
    bytes: new Counter({ name: "callchain_log_bytes_total", help: "Bytes of those records", registers }),
    refused: new Counter({ name: "callchain_log_refused_total", help: "Requests refused at the cap", registers }),
    failed: new Counter({ name: "callchain_log_failed_total", help: "Records that Kafka did not take in time", registers }),
    inFlightBytes: new Gauge({ name: "callchain_log_queued_bytes", help: "Bytes on their way into Kafka", registers }),
  };
}
