/** A search narrowed by one more condition, whatever form its query has. */
import type { SearchFilters } from "../search-filters.ts";
import { writeValue } from "./completion.ts";
import { queryTokens } from "./tokens.ts";

/**
 * The query with `&& condition` in the spanset whose spans are its result: the last one before a pipeline. Words without braces are put in
 * parentheses, so that an `||` among them keeps its meaning.
 */
export function addCondition(query: string, condition: string): string {
  const text = query.trim();
  if (text === "") return `{ ${condition} }`;
  if (!text.startsWith("{")) return `(${text}) && ${condition}`;
  const spanset = resultSpanset(text);
  if (spanset === null) return text;
  const inside = text.slice(spanset.from + 1, spanset.to).trim();
  const narrowed = inside === "" ? condition : `${needsParentheses(inside) ? `(${inside})` : inside} && ${condition}`;
  return `${text.slice(0, spanset.from)}{ ${narrowed} }${text.slice(spanset.to + 1)}`;
}

/** Positions of the braces. */
function resultSpanset(text: string): { readonly from: number; readonly to: number } | null {
  let found: { from: number; to: number } | null = null;
  let from = 0;
  let depth = 0;
  for (const token of queryTokens(text)) {
    if (token.text === "|" && depth === 0) break;
    if (token.kind !== "brace") continue;
    if (token.text === "{") {
      if (depth === 0) from = token.from;
      depth += 1;
    } else if (token.text === "}") {
      depth -= 1;
      if (depth === 0) found = { from, to: token.from };
    }
  }
  return found;
}

function needsParentheses(inside: string): boolean {
  return queryTokens(inside).some(({ text, kind }) => kind === "operator" && text === "||");
}

/** `span.x = "v"`, or `span.x = nil` for spans without it. A value that reads as a number may have been sent as one, so both are asked for. */
export function conditionFor(field: string, value: string | null): string {
  const name = field === "service" ? "resource.service.name" : field;
  if (value === null) return `${name} = nil`;
  const isNumber = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,6})?$/.test(value) && name !== "name" && name !== "statusMessage";
  const text = `${name} = ${writeValue(value, "string", name)}`;
  return isNumber ? `(${text} || ${name} = ${value})` : text;
}

/** The search for the spans of one group. What the form has a field for goes there, the rest into the query. */
export function narrowToGroup(filters: SearchFilters, field: string, value: string | null): SearchFilters {
  if (value !== null) {
    if ((field === "service" || field === "resource.service.name") && filters.service === "")
      return { ...filters, service: value };
    if (field === "name" && filters.name === "") return { ...filters, name: value };
  }
  return { ...filters, q: addCondition(filters.q, conditionFor(scopedField(field), value)) };
}

const INTRINSIC = /^(?:name|kind|status|statusMessage|service|instrumentation:(?:name|version))$/;

/** A bare attribute name gets the dot that a query wants. */
function scopedField(field: string): string {
  return INTRINSIC.test(field) || /^(?:span|resource)\.|^\./.test(field) ? field : `.${field}`;
}
