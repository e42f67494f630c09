/** The parameters that narrow a question to some spans; shared by every route that takes `q`. */
import { STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { ATTRIBUTE_FILTER_ACCEPTED, parseAttributeFilter } from "../search/filters.ts";
import { parseQuery } from "../search/parse.ts";
import { queryParam } from "./params.ts";

/** Spread into a route's table; `buildFilterQuery(params)` (search/filters.ts) makes one Query of them. */
export const spanFilters = {
  q: queryParam.parsed(
    'TraceQL, one spanset, e.g. { resource.service.name = "cart" && duration > 250ms }; or words and key=value terms',
    "a query in TraceQL",
    parseQuery,
  ),
  service: queryParam.text("Exact service name"),
  name: queryParam.text("Exact span name"),
  attribute: queryParam.repeated(
    ATTRIBUTE_FILTER_ACCEPTED,
    16,
    parseAttributeFilter,
    "Attribute equality, repeatable; without a scope the span's or the resource's. A number matches as number and as text",
  ),
  minDuration: queryParam.duration("Shortest span duration"),
  maxDuration: queryParam.duration("Longest span duration"),
  status: queryParam.optionalOneOf(STATUS_CODES, "Span status"),
};
