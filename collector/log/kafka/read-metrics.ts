/** What reading from Kafka tells about itself. */
import { Counter, Gauge, type Registry } from "@callchain/schemas/runtime/metrics.ts";

export interface ReadMetrics {
  readonly lagRecords: Gauge<"partition">;
  readonly lostRecords: Counter<"partition">;
  readonly partitionsAhead: Gauge<"partition">;
  readonly rebalances: Counter;
  readonly restarts: Counter;
}

export function registerReadMetrics(registry: Registry): ReadMetrics {
  const registers = [registry];
  const labelNames = ["partition"] as const;
  return {
    lagRecords: new Gauge({
      name: "callchain_log_lag_records",
      help: "Records not yet handed to the writer",
      labelNames,
      registers,
    }),
    lostRecords: new Counter({
      name: "callchain_log_lost_records_total",
      help: "Offsets that Kafka had deleted before they were stored: its retention is too short",
      labelNames,
      registers,
    }),
    partitionsAhead: new Gauge({
      name: "callchain_log_partition_ahead",
      help: "1 where the stored rows are ahead of the partition, which is then held: Kafka has lost acknowledged records",
      labelNames,
      registers,
    }),
    rebalances: new Counter({ name: "callchain_log_rebalances_total", help: "Times that partitions were shared out", registers }),
    restarts: new Counter({
      name: "callchain_log_reader_restarts_total",
      help: "Times that the reader began anew with new connections",
      registers,
    }),
  };
}
