import { DependenciesAnswer } from "@callchain/schemas/api/catalog.ts";
import type { UnixNano } from "@callchain/schemas/span/time.ts";
import { getDependencies } from "../store/dependencies/dependencies.ts";
import type { TimeRange } from "../store/range.ts";
import { queryParam, timeRange } from "./params.ts";
import { refuseParameter } from "./problem.ts";
import { defineRoute } from "./route.ts";

export const dependenciesRoute = defineRoute({
  path: "/dependencies",
  summary:
    "The service graph: who called whom, databases, topics and external peers, with counts, errors, percentiles and examples; on request beside another range",
  params: {
    ...timeRange,
    focus: queryParam.text("Node id (service:cart) or name (cart) to show with its surroundings; fallback: the whole graph"),
    depth: queryParam.wholeNumber(1, 1, 10, "Calls up and down from the focus"),
    compareFrom: queryParam.optionalTime("Start of a range to compare with, included; goes with compareTo"),
    compareTo: queryParam.optionalTime("End of the range to compare with, not included"),
  },
  answer: DependenciesAnswer,
  handle: ({ from, to, focus, depth, compareFrom, compareTo }, context) =>
    getDependencies(
      { range: { from, to }, focus, depth, comparison: readComparison(compareFrom, compareTo) },
      context,
      context.callCounter,
    ),
});

function readComparison(from: UnixNano | null, to: UnixNano | null): TimeRange | null {
  if (from === null && to === null) return null;
  if (from === null) throw refuseParameter("compareFrom", null, "a time, since compareTo is given");
  if (to === null) throw refuseParameter("compareTo", null, "a time, since compareFrom is given");
  if (from >= to) throw refuseParameter("compareFrom", from.toString(), "a time before `compareTo`");
  return { from, to };
}
