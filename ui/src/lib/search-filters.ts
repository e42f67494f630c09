/**
 * What the search page asks for, as its URL says it. The names are those of `GET /api/v1/traces`, so that an address of the page and a
 * request of the API differ only in the path.
 */
import type { ApiParams } from "./api.ts";
import type { ParamChanges } from "./route.ts";

type SearchSort = "newest" | "slowest";
export type SearchStatus = "" | "unset" | "ok" | "error";

export interface SearchFilters {
  /** TraceQL, or words and key=value terms. */
  readonly q: string;
  readonly service: string;
  readonly name: string;
  /** `key=value` each. */
  readonly attributes: readonly string[];
  /** With a unit, as typed: `250ms`. */
  readonly minDuration: string;
  readonly maxDuration: string;
  readonly status: SearchStatus;
  readonly sort: SearchSort;
  readonly limit: number;
}

export const SEARCH_STATUSES: readonly SearchStatus[] = ["", "error", "ok", "unset"];
export const SEARCH_LIMITS: readonly number[] = [20, 50, 100];

export const NO_FILTERS: SearchFilters = {
  q: "",
  service: "",
  name: "",
  attributes: [],
  minDuration: "",
  maxDuration: "",
  status: "",
  sort: "newest",
  limit: 20,
};

/** Unknown words fall back to no filter, so that a stale bookmark still opens. */
export function readFilters(params: URLSearchParams): SearchFilters {
  const text = (key: string): string => params.get(key)?.trim() ?? "";
  const status = text("status");
  const limit = Number(text("limit"));
  return {
    q: text("q"),
    service: params.get("service") ?? "",
    name: params.get("name") ?? "",
    attributes: params.getAll("attribute").filter((item) => item.indexOf("=") > 0),
    minDuration: text("minDuration"),
    maxDuration: text("maxDuration"),
    status: SEARCH_STATUSES.find((known) => known === status) ?? "",
    sort: text("sort") === "slowest" ? "slowest" : "newest",
    limit: SEARCH_LIMITS.includes(limit) ? limit : NO_FILTERS.limit,
  };
}

/** For the URL: what is not filtered is left out. A change of filters starts at the first page again. */
export function filterChanges(filters: SearchFilters): ParamChanges {
  return {
    q: filters.q,
    service: filters.service,
    name: filters.name,
    attribute: filters.attributes,
    minDuration: filters.minDuration,
    maxDuration: filters.maxDuration,
    status: filters.status,
    sort: filters.sort === "newest" ? null : filters.sort,
    limit: filters.limit === NO_FILTERS.limit ? null : `${filters.limit}`,
    cursor: null,
  };
}

/** For every endpoint that takes a search: the parameters that narrow it. */
export function filterParams(filters: SearchFilters): ApiParams {
  const { q, service, name, attributes: attribute, minDuration, maxDuration, status } = filters;
  return { q, service, name, attribute, minDuration, maxDuration, status };
}

/** True when any span of the range would match. */
export function isUnfiltered(filters: SearchFilters): boolean {
  const { q, service, name, attributes, minDuration, maxDuration, status } = filters;
  return [q, service, name, minDuration, maxDuration, status].every((text) => text === "") && attributes.length === 0;
}

/** A bare number of a duration field is milliseconds, which is what people mean. */
export function durationWithUnit(text: string): string {
  const trimmed = text.trim();
  return /^\d+(\.\d+)?$/.test(trimmed) ? `${trimmed}ms` : trimmed;
}
