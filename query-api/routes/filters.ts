/** The parameters that narrow a question to some spans; shared by every route that takes `q`. */
import { STATUS_CODES } from "@callchain/schemas/span/span.ts";
import {
  ATTRIBUTE_FILTER_ACCEPTED,
  buildFilterQuery,
  buildTraceFilterQuery,
  parseAttributeFilter,
  type Filters,
  type TraceFilters,
} from "../search/filters.ts";
import { parseQuery, parseTraceQuery } from "../search/parse.ts";
import { joinQueries } from "../search/query.ts";
import { narrowQuery, traceQueryOf, type TraceQuery } from "../search/trace-query.ts";
import { chooseSpans, type Choice } from "../store/choose-spans.ts";
import type { Asking, TimeRange } from "../store/range.ts";
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

const COUNT_MAX = 1_000_000_000;

/** As spanFilters, for spans that may be chosen by what else is in their traces. */
export const chosenSpanFilters = {
  ...spanFilters,
  q: queryParam.parsed(
    'TraceQL, e.g. { resource.service.name = "cart" } >> { status = error } | count() > 1; or words and key=value terms',
    "a query in TraceQL",
    parseTraceQuery,
  ),
};

/** As those, for routes that find whole traces: beside them what holds for a trace as a whole. */
export const traceFilters = {
  ...chosenSpanFilters,
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

type ChosenSpanFilters = Omit<Filters, "q"> & { readonly q: TraceQuery | null };

/** The spans that chosenSpanFilters leave. */
export function chooseByFilters({ q, ...filters }: ChosenSpanFilters, range: TimeRange, asking: Asking): Promise<Choice> {
  const narrow = buildFilterQuery({ ...filters, q: null });
  return chooseSpans(q === null ? traceQueryOf(narrow) : narrowQuery(q, narrow), range, asking);
}

/** One query of all of them. */
export function buildTraceQuery(params: ChosenSpanFilters & TraceFilters): TraceQuery {
  const filters = joinQueries(buildFilterQuery({ ...params, q: null }), buildTraceFilterQuery(params));
  return params.q === null ? traceQueryOf(filters) : narrowQuery(params.q, filters);
}
