import { DependenciesAnswer } from "@callchain/schemas/api/catalog.ts";
import { getDependencies } from "../store/dependencies/dependencies.ts";
import { queryParam, timeRange } from "./params.ts";
import { defineRoute } from "./route.ts";

export const dependenciesRoute = defineRoute({
  path: "/dependencies",
  summary:
    "The service graph: who called whom, databases, topics and external peers, with counts, errors, percentiles and examples",
  params: {
    ...timeRange,
    focus: queryParam.text("Node id (service:cart) or name (cart) to show with its surroundings; fallback: the whole graph"),
    depth: queryParam.wholeNumber(1, 1, 10, "Calls up and down from the focus"),
  },
  answer: DependenciesAnswer,
  handle: ({ from, to, focus, depth }, context) => getDependencies({ range: { from, to }, focus, depth }, context),
});
