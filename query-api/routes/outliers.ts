import { OutliersAnswer } from "@callchain/schemas/api/analysis.ts";
import { parseTraceQuery } from "../search/parse.ts";
import { chooseSpans, withChoice } from "../store/choose-spans.ts";
import { findOutliers } from "../store/outliers.ts";
import { chooseByFilters, chosenSpanFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { refuseParameter } from "./problem.ts";
import { defineRoute } from "./route.ts";

export const outliersRoute = defineRoute({
  path: "/outliers",
  summary: "What sets a selection of the matching spans - slow, failing, brushed - apart from the rest, over all attributes",
  params: {
    ...chosenSpanFilters,
    ...timeRange,
    selection: queryParam.required(
      "The selection within the matching spans",
      "a query in TraceQL, e.g. { duration > 1s } or { status = error }",
      parseTraceQuery,
    ),
    selectionFrom: queryParam.optionalTime("Start of the selection in time, included; left out, from"),
    selectionTo: queryParam.optionalTime("End of the selection in time, not included; left out, to"),
  },
  answer: OutliersAnswer,
  handle: async ({ from, to, selection, selectionFrom, selectionTo, ...filters }, context) => {
    if (selectionFrom !== null && selectionTo !== null && selectionFrom >= selectionTo)
      throw refuseParameter("selectionFrom", selectionFrom.toString(), "a time before `selectionTo`");
    const range = { from, to };
    const choice = await chooseByFilters(filters, range, context);
    const selected = await chooseSpans(selection, range, context);
    const question = { range, query: choice.query, selection: selected.query, selectionFrom, selectionTo };
    return withChoice(choice, withChoice(selected, await findOutliers(question, context)));
  },
});
