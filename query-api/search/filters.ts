/** The structured filters of the REST API (`service`, `name`, `attribute=key=value`, ...) as a query, joined with `q` by `&&`. */
import type { StatusCode } from "@callchain/schemas/span/span.ts";
import { untypedMeanings } from "./comparison.ts";
import { parseField } from "./parse-field.ts";
import {
  attribute,
  compare,
  intrinsic,
  joinExpressions,
  joinQueries,
  type Expression,
  type Field,
  type IntrinsicName,
  type Query,
} from "./query.ts";

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

/** What a whole trace is held to, over its spans in the time range. */
export interface TraceFilters {
  readonly minTraceDuration: bigint | null;
  readonly maxTraceDuration: bigint | null;
  readonly minSpans: number | null;
  readonly maxSpans: number | null;
  readonly minServices: number | null;
  readonly maxServices: number | null;
  readonly minErrors: number | null;
  readonly maxErrors: number | null;
  readonly complete: "true" | "false" | null;
  /** Traces without a root, or with spans whose parent is not there. */
  readonly missing: "root" | "parent" | null;
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

export function buildTraceFilterQuery(filters: TraceFilters): Query {
  const items: Expression[] = [];
  const bound = (name: IntrinsicName, comparison: ">=" | "<=", value: bigint | number | null): void => {
    if (value === null) return;
    const literal = { type: typeof value === "bigint" ? "duration" : "int", value: BigInt(value) } as const;
    items.push(compare(intrinsic(name), comparison, literal));
  };
  bound("traceDuration", ">=", filters.minTraceDuration);
  bound("traceDuration", "<=", filters.maxTraceDuration);
  bound("trace:spanCount", ">=", filters.minSpans);
  bound("trace:spanCount", "<=", filters.maxSpans);
  bound("trace:serviceCount", ">=", filters.minServices);
  bound("trace:serviceCount", "<=", filters.maxServices);
  bound("trace:errorCount", ">=", filters.minErrors);
  bound("trace:errorCount", "<=", filters.maxErrors);
  if (filters.complete !== null) {
    items.push(compare(intrinsic("trace:complete"), "=", { type: "bool", value: filters.complete === "true" }));
  }
  if (filters.missing === "root") items.push(compare(intrinsic("trace:rootCount"), "=", { type: "int", value: 0n }));
  if (filters.missing === "parent") items.push(compare(intrinsic("trace:missingParentCount"), ">", { type: "int", value: 0n }));
  return { expression: joinExpressions("and", items) };
}

function attributeExpression(field: Field, value: string): Expression[] {
  const meanings = untypedMeanings(value, "=").map((literal) => compare(field, "=", literal));
  const joined = joinExpressions("or", meanings);
  return joined === null ? [] : [joined];
}
