/** `GET /series`: TraceQL's metrics. */
import { SeriesAnswer } from "@callchain/schemas/api/series.ts";
import { buildFilterQuery } from "../search/filters.ts";
import { parseSeriesQuery } from "../search/parse.ts";
import { narrowQuery } from "../search/trace-query.ts";
import { chooseSpans, withChoice } from "../store/choose-spans.ts";
import { getSeries } from "../store/series.ts";
import { spanFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { defineRoute } from "./route.ts";
import { checkStep } from "./steps.ts";

const COUNT_ALL = parseSeriesQuery("{ } | count_over_time()");

export const seriesRoute = defineRoute({
  path: "/series",
  summary: "Figures of the matching spans over time: TraceQL's metrics",
  params: {
    ...spanFilters,
    q: queryParam.parsed(
      "TraceQL with a function over time, e.g. { status = error } | rate() by(resource.service.name); fallback: { } | count_over_time()",
      "a query in TraceQL that ends in a function over time",
      (text) => (text.trim() === "" ? null : parseSeriesQuery(text)),
    ),
    ...timeRange,
    step: queryParam.duration("Length of a step; fallback: a round one that gives at most 120 points"),
    groups: queryParam.wholeNumber(20, 1, 100, "Groups of by() at most, largest first"),
  },
  answer: SeriesAnswer,
  handle: async ({ from, to, step, groups, q, ...filters }, context) => {
    const range = { from, to };
    checkStep(step, range);
    const asked = q ?? COUNT_ALL;
    const query = { ...asked, query: narrowQuery(asked.query, buildFilterQuery({ ...filters, q: null })) };
    const choice = await chooseSpans(query.query, range, context);
    return withChoice(
      choice,
      await getSeries({ range, query, spans: choice.query, stepNano: step, groupCountMax: groups }, context),
    );
  },
});
