/** Every route of `/api/v1`, in the order of the OpenAPI document. A new route file adds its definitions here. */
import { attributeRoutes } from "./attributes.ts";
import { criticalPathRoute, repeatsRoute, skewRoute } from "./cohort-analyses.ts";
import { dependenciesRoute } from "./dependencies.ts";
import { diffRoute } from "./diff.ts";
import { getHealth, getReady } from "./health.ts";
import { heatmapRoutes } from "./heatmap.ts";
import { ingestRoute } from "./ingest.ts";
import { exportTraces } from "./export.ts";
import { importSpans } from "./import.ts";
import { latencyRoute } from "./latency.ts";
import { defineOpenApiRoute } from "./openapi.ts";
import { outliersRoute } from "./outliers.ts";
import type { RouteDefinition } from "./route.ts";
import { seriesRoute } from "./series.ts";
import { serviceRoutes } from "./services.ts";
import { getTrace, getTraceSpan } from "./trace.ts";
import { tailSpans } from "./tail.ts";
import { traceCriticalPathRoute, traceLinksRoute, traceRepeatsRoute } from "./trace-analyses.ts";
import { searchTraces } from "./traces.ts";

export const routes: readonly RouteDefinition[] = [
  searchTraces,
  getTrace,
  getTraceSpan,
  traceCriticalPathRoute,
  traceRepeatsRoute,
  traceLinksRoute,
  ...serviceRoutes,
  latencyRoute,
  seriesRoute,
  ...heatmapRoutes,
  dependenciesRoute,
  criticalPathRoute,
  repeatsRoute,
  skewRoute,
  diffRoute,
  outliersRoute,
  ...attributeRoutes,
  tailSpans,
  importSpans,
  exportTraces,
  ingestRoute,
  getHealth,
  getReady,
  defineOpenApiRoute(() => routes),
];
