import { OutliersAnswer } from "@callchain/schemas/api/analysis.ts";
import { buildFilterQuery } from "../search/filters.ts";
import { parseQuery } from "../search/parse.ts";
import { findOutliers } from "../store/outliers.ts";
import { spanFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { refuseParameter } from "./problem.ts";
import { defineRoute } from "./route.ts";

export const outliersRoute = defineRoute({
  path: "/outliers",
  summary: "What sets a selection of the matching spans - slow, failing, brushed - apart from the rest, over all attributes",
  params: {
    ...spanFilters,
    ...timeRange,
    selection: queryParam.required(
      "The selection within the matching spans",
      "a query in TraceQL, one spanset, e.g. { duration > 1s } or { status = error }",
      parseQuery,
    ),
    selectionFrom: queryParam.optionalTime("Start of the selection in time, included; left out, from"),
    selectionTo: queryParam.optionalTime("End of the selection in time, not included; left out, to"),
  },
  answer: OutliersAnswer,
  handle: ({ from, to, selection, selectionFrom, selectionTo, ...filters }, context) => {
    if (selectionFrom !== null && selectionTo !== null && selectionFrom >= selectionTo)
      throw refuseParameter("selectionFrom", selectionFrom.toString(), "a time before `selectionTo`");
    const query = buildFilterQuery(filters);
    return findOutliers({ range: { from, to }, query, selection, selectionFrom, selectionTo }, context);
  },
});
