import { ExemplarsAnswer, HeatmapAnswer } from "@callchain/schemas/api/aggregates.ts";
import { buildFilterQuery } from "../search/filters.ts";
import { getHeatmap, listExemplars } from "../store/heatmap.ts";
import { spanFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { defineRoute } from "./route.ts";
import { checkStep } from "./steps.ts";

const heatmapRoute = defineRoute({
  path: "/heatmap",
  summary: "Matching spans counted by start and duration, with errors",
  params: {
    ...spanFilters,
    ...timeRange,
    step: queryParam.duration("Width of a column; fallback: a round one that gives at most 120 columns"),
  },
  answer: HeatmapAnswer,
  handle: ({ from, to, step, ...filters }, context) => {
    const range = { from, to };
    checkStep(step, range);
    return getHeatmap({ range, query: buildFilterQuery(filters), stepNano: step }, context);
  },
});

const exemplarsRoute = defineRoute({
  path: "/exemplars",
  summary: "The slowest matching spans, one a trace: the spans behind a point, a cell or a brushed region",
  params: { ...spanFilters, ...timeRange, limit: queryParam.wholeNumber(10, 1, 1000, "Spans at most") },
  answer: ExemplarsAnswer,
  handle: ({ from, to, limit, ...filters }, context) =>
    listExemplars({ range: { from, to }, query: buildFilterQuery(filters), limit }, context),
});

export const heatmapRoutes = [heatmapRoute, exemplarsRoute] as const;
