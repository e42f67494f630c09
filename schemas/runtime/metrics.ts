/** Prometheus metrics of one process. Each part registers its own under `callchain_`; `/metrics` serves the registry. */
import { Registry, collectDefaultMetrics } from "prom-client";

export { Counter, Gauge, Histogram, Registry } from "prom-client";

export function openMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "callchain_" });
  return registry;
}
