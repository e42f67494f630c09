/** `GET /traces`: search. */
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { formatTraceQuery } from "../search/trace-query.ts";
import { TRACE_SORTS } from "../store/trace-keys.ts";
import { findTraces } from "../store/traces.ts";
import { decodeCursor, digestQuery, encodeCursor } from "./cursor.ts";
import { buildTraceQuery, traceFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { refuseParameter } from "./problem.ts";
import { defineRoute } from "./route.ts";

const CURSOR_ACCEPTED = "nextCursor of an answer to the same query, filters and sort";

export const searchTraces = defineRoute({
  path: "/traces",
  summary: "Traces with spans that match, newest or slowest first",
  params: {
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
    const query = buildTraceQuery(params);
    const queryDigest = digestQuery(formatTraceQuery(query));
    if (cursor !== null && (cursor.sort !== sort || cursor.queryDigest !== queryDigest)) {
      throw refuseParameter("cursor", "the cursor of another query", CURSOR_ACCEPTED);
    }
    const range = cursor?.range ?? { from: params.from, to: params.to };
    const { last, ...page } = await findTraces({ range, query, sort, limit, after: cursor?.after ?? null }, { database, signal });
    return { ...page, nextCursor: last === null ? null : encodeCursor({ sort, queryDigest, range, after: last }) };
  },
});
