/** The structured filters of the REST API (`service`, `name`, `attribute=key=value`, ...) as a query, joined with `q` by `&&`. */
import type { StatusCode } from "@callchain/schemas/span/span.ts";
import { untypedMeanings } from "./comparison.ts";
import { parseField } from "./parse-expression.ts";
import { attribute, compare, intrinsic, joinExpressions, joinQueries, type Expression, type Field, type Query } from "./query.ts";

/** One `attribute=` parameter: the key may carry a scope (`span.`, `resource.`), none means span or resource. */
export interface AttributeFilter {
  readonly field: Field;
  readonly value: string;
}

export interface Filters {
  readonly q: Query | null;
  readonly service: string | null;
  readonly name: string | null;
  readonly attribute: readonly AttributeFilter[];
  readonly minDuration: bigint | null;
  readonly maxDuration: bigint | null;
  readonly status: StatusCode | null;
}

export const ATTRIBUTE_FILTER_ACCEPTED = "key=value, e.g. http.route=/cart or resource.k8s.pod.name=web-1";

/** undefined where there is no `=` or no key. */
export function parseAttributeFilter(text: string): AttributeFilter | undefined {
  const equals = text.indexOf("=");
  if (equals <= 0) return undefined;
  const key = text.slice(0, equals);
  const scoped = parseField(key);
  return { field: scoped?.kind === "attribute" ? scoped : attribute("any", key), value: text.slice(equals + 1) };
}

export function buildFilterQuery(filters: Filters): Query {
  const items: Expression[] = [];
  const text = (field: Field, value: string | null): void => {
    if (value !== null) items.push(compare(field, "=", { type: "string", value }));
  };
  text(attribute("resource", "service.name"), filters.service);
  text(intrinsic("name"), filters.name);
  for (const { field, value } of filters.attribute) items.push(...attributeExpression(field, value));
  if (filters.status !== null) items.push(compare(intrinsic("status"), "=", { type: "status", value: filters.status }));
  if (filters.minDuration !== null)
    items.push(compare(intrinsic("duration"), ">=", { type: "duration", value: filters.minDuration }));
  if (filters.maxDuration !== null)
    items.push(compare(intrinsic("duration"), "<=", { type: "duration", value: filters.maxDuration }));
  const structured: Query = { expression: joinExpressions("and", items) };
  return filters.q === null ? structured : joinQueries(structured, filters.q);
}

function attributeExpression(field: Field, value: string): Expression[] {
  const meanings = untypedMeanings(value, "=").map((literal) => compare(field, "=", literal));
  const joined = joinExpressions("or", meanings);
  return joined === null ? [] : [joined];
}
