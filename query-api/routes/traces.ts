/** `GET /traces`: search. */
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { buildFilterQuery, buildTraceFilterQuery } from "../search/filters.ts";
import { parseTraceQuery } from "../search/parse.ts";
import { joinQueries } from "../search/query.ts";
import { formatTraceQuery, narrowQuery, traceQueryOf } from "../search/trace-query.ts";
import { TRACE_SORTS } from "../store/trace-keys.ts";
import { findTraces } from "../store/traces.ts";
import { decodeCursor, digestQuery, encodeCursor } from "./cursor.ts";
import { spanFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { refuseParameter } from "./problem.ts";
import { defineRoute } from "./route.ts";

const COUNT_MAX = 1_000_000_000;

/** What holds for the trace as a whole; `buildTraceFilterQuery(params)` makes one Query of them. */
const traceFilters = {
  minTraceDuration: queryParam.duration("Shortest trace, from its first start to its last end in the time range"),
  maxTraceDuration: queryParam.duration("Longest trace"),
  minSpans: queryParam.optionalWholeNumber(COUNT_MAX, "Fewest spans of a trace"),
  maxSpans: queryParam.optionalWholeNumber(COUNT_MAX, "Most spans of a trace"),
  minServices: queryParam.optionalWholeNumber(COUNT_MAX, "Fewest services of a trace"),
  maxServices: queryParam.optionalWholeNumber(COUNT_MAX, "Most services of a trace"),
  minErrors: queryParam.optionalWholeNumber(COUNT_MAX, "Fewest spans of a trace with an error"),
  maxErrors: queryParam.optionalWholeNumber(COUNT_MAX, "Most spans of a trace with an error"),
  complete: queryParam.optionalOneOf(["true", "false"], "Whether a trace has one root and no missing parents"),
  missing: queryParam.optionalOneOf(["root", "parent"], "What a trace lacks: a root, or the parent of some span"),
};

const CURSOR_ACCEPTED = "nextCursor of an answer to the same query, filters and sort";

export const searchTraces = defineRoute({
  path: "/traces",
  summary: "Traces with spans that match, newest or slowest first",
  params: {
    ...spanFilters,
    q: queryParam.parsed(
      'TraceQL, e.g. { resource.service.name = "cart" } >> { status = error } | count() > 1; or words and key=value terms',
      "a query in TraceQL",
      parseTraceQuery,
    ),
    ...traceFilters,
    ...timeRange,
    sort: queryParam.oneOf(TRACE_SORTS, "newest", "Newest matching span first, or the longest matching span first"),
    limit: queryParam.wholeNumber(20, 1, 200, "Traces at most"),
    cursor: queryParam.parsed(
      "Goes on where the answer before ended, over that answer's time range: from and to of this request are not looked at",
      CURSOR_ACCEPTED,
      decodeCursor,
    ),
  },
  answer: TraceSearchAnswer,
  handle: async (params, { database, signal }) => {
    const { cursor, sort, limit } = params;
    const filters = joinQueries(buildFilterQuery({ ...params, q: null }), buildTraceFilterQuery(params));
    const query = params.q === null ? traceQueryOf(filters) : narrowQuery(params.q, filters);
    const queryDigest = digestQuery(formatTraceQuery(query));
    if (cursor !== null && (cursor.sort !== sort || cursor.queryDigest !== queryDigest)) {
      throw refuseParameter("cursor", "the cursor of another query", CURSOR_ACCEPTED);
    }
    const range = cursor?.range ?? { from: params.from, to: params.to };
    const { last, ...page } = await findTraces({ range, query, sort, limit, after: cursor?.after ?? null }, { database, signal });
    return { ...page, nextCursor: last === null ? null : encodeCursor({ sort, queryDigest, range, after: last }) };
  },
});
