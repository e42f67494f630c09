import { ExemplarsAnswer, HeatmapAnswer } from "@callchain/schemas/api/aggregates.ts";
import { withChoice } from "../store/choose-spans.ts";
import { getHeatmap, listExemplars } from "../store/heatmap.ts";
import { chooseByFilters, chosenSpanFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { defineRoute } from "./route.ts";
import { checkStep } from "./steps.ts";

const heatmapRoute = defineRoute({
  path: "/heatmap",
  summary: "Matching spans counted by start and duration, with errors",
  params: {
    ...chosenSpanFilters,
    ...timeRange,
    step: queryParam.duration(
      "Width of a column; fallback: a round one that gives at most 120 columns, whole minutes where there are millions of spans",
    ),
  },
  answer: HeatmapAnswer,
  handle: async ({ from, to, step, ...filters }, context) => {
    const range = { from, to };
    checkStep(step, range);
    const choice = await chooseByFilters(filters, range, context);
    return withChoice(choice, await getHeatmap({ range, query: choice.query, stepNano: step }, context));
  },
});

const exemplarsRoute = defineRoute({
  path: "/exemplars",
  summary: "The slowest matching spans, one a trace: the spans behind a point, a cell or a brushed region",
  params: { ...chosenSpanFilters, ...timeRange, limit: queryParam.wholeNumber(10, 1, 1000, "Spans at most") },
  answer: ExemplarsAnswer,
  handle: async ({ from, to, limit, ...filters }, context) => {
    const range = { from, to };
    const choice = await chooseByFilters(filters, range, context);
    return withChoice(choice, await listExemplars({ range, query: choice.query, limit }, context));
  },
});

export const heatmapRoutes = [heatmapRoute, exemplarsRoute] as const;
