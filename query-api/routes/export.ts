/** `GET /export`: whole traces as OTLP/JSON lines. */
import { LINES_MEDIA_TYPE } from "@callchain/schemas/api/transfer.ts";
import { EXPORT_TRACE_COUNT_MAX, exportTraces as exportFound } from "../transfer/export.ts";
import { buildTraceQuery, traceFilters } from "./filters.ts";
import { queryParam, timeRange } from "./params.ts";
import { BytesReply, defineRoute } from "./route.ts";
import { OtlpTraces } from "./trace.ts";

export const exportTraces = defineRoute({
  path: "/export",
  summary:
    "Traces with spans that match, newest first, whole, as OTLP/JSON lines. Where there are more, the last line is without spans and says so in `callchain.cut`",
  params: {
    ...traceFilters,
    ...timeRange,
    limit: queryParam.wholeNumber(1_000, 1, EXPORT_TRACE_COUNT_MAX, "Traces at most"),
  },
  answer: OtlpTraces,
  answerMediaType: LINES_MEDIA_TYPE,
  handle: (params, { database, signal }) => {
    const question = { range: { from: params.from, to: params.to }, query: buildTraceQuery(params), limit: params.limit };
    return Promise.resolve(new BytesReply(LINES_MEDIA_TYPE, exportFound(question, { database, signal })));
  },
});
