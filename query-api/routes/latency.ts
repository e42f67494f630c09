import { LatencyAnswer } from "@callchain/schemas/api/catalog.ts";
import { withChoice } from "../store/choose-spans.ts";
import { GROUP_FIELD_ACCEPTED, parseGroupField } from "../store/group-by.ts";
import { getLatency } from "../store/latency.ts";
import { chooseByFilters, chosenSpanFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { defineRoute } from "./route.ts";
import { checkStep } from "./steps.ts";

const PERCENTILE_COUNT_MAX = 10;

function parsePercentile(text: string): number | undefined {
  const value = /^\d{1,2}(\.\d{1,4})?$/.test(text) ? Number(text) : Number.NaN;
  return value > 0 && value < 100 ? value : undefined;
}

export const latencyRoute = defineRoute({
  path: "/latency",
  summary: "Percentiles, counts, errors and examples of the matching spans over time, as a whole or grouped by an attribute",
  params: {
    ...chosenSpanFilters,
    ...timeRange,
    step: queryParam.duration(
      "Length of a step; fallback: a round one that gives at most 120 points, whole minutes where there are millions of spans",
    ),
    by: queryParam.parsed("Field to group by", GROUP_FIELD_ACCEPTED, (text) => {
      if (text === "") return null;
      const field = parseGroupField(text);
      return field === undefined ? undefined : { text, field };
    }),
    p: queryParam.list(
      [50, 95, 99],
      "numbers above 0 and below 100, e.g. 99.9",
      PERCENTILE_COUNT_MAX,
      parsePercentile,
      "Percentiles of the span duration",
    ),
    groups: queryParam.wholeNumber(20, 1, 100, "Groups at most, largest first"),
  },
  answer: LatencyAnswer,
  handle: async ({ from, to, step, by, p, groups, ...filters }, context) => {
    const range = { from, to };
    checkStep(step, range);
    const choice = await chooseByFilters(filters, range, context);
    const question = { range, query: choice.query, stepNano: step, percentiles: p, by, groupCountMax: groups };
    return withChoice(choice, await getLatency(question, context));
  },
});
