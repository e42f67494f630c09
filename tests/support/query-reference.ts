/** What a query means, span by span in memory: the reference that the SQL is held against. Plain and slow on purpose. */
import { attributeNames } from "@callchain/query-api/search/conventions.ts";
import type { AttributeScope, Comparison, Expression, Field, Literal } from "@callchain/query-api/search/query.ts";
import type { Attribute, AttributeValue, Span } from "@callchain/schemas/span/span.ts";

export function spanMatches(span: Span, expression: Expression | null): boolean {
  if (expression === null) return true;
  switch (expression.kind) {
    case "and":
      return expression.items.every((item) => spanMatches(span, item));
    case "or":
      return expression.items.some((item) => spanMatches(span, item));
    case "not":
      return !spanMatches(span, expression.item);
    default:
      return comparisonHolds(span, expression.field, expression.comparison, expression.literal);
  }
}

function attributesIn(span: Span, scope: AttributeScope): readonly Attribute[] {
  switch (scope) {
    case "span":
      return span.attributes;
    case "resource":
      return span.resource.attributes;
    case "event":
      return span.events.flatMap((event) => event.attributes);
    case "link":
      return span.links.flatMap((link) => link.attributes);
    case "instrumentation":
      return span.scope.attributes;
    default:
      return [...span.attributes, ...span.resource.attributes];
  }
}

function comparisonHolds(span: Span, field: Field, comparison: Comparison, literal: Literal): boolean {
  if (field.kind === "attribute") {
    const names = attributeNames(field.key);
    const values = attributesIn(span, field.scope).filter(({ key }) => names.includes(key));
    if (literal.type === "nil") return values.length > 0 === (comparison === "!=");
    return values.some(({ value }) => valueHolds(value, comparison, literal));
  }
  switch (field.name) {
    case "name":
      return textHolds(span.name, comparison, literal);
    case "statusMessage":
      return textHolds(span.status.message, comparison, literal);
    case "duration":
      return literal.type === "duration" && ordered(span.durationNano, comparison, literal.value);
    case "status":
      return literal.type === "status" && (span.status.code === literal.value) === (comparison === "=");
    case "kind":
      return literal.type === "kind" && (span.kind === literal.value) === (comparison === "=");
    case "event:name":
      return span.events.some(({ name }) => textHolds(name, comparison, literal));
    default:
      throw new Error(`the reference does not know ${field.name}`);
  }
}

function textHolds(text: string, comparison: Comparison, literal: Literal): boolean {
  if (literal.type !== "string") return false;
  if (comparison === "=~" || comparison === "!~")
    return new RegExp(`^(?:${literal.value})$`, "su").test(text) === (comparison === "=~");
  return ordered(Buffer.compare(Buffer.from(text), Buffer.from(literal.value)), comparison, 0);
}

function valueHolds(value: AttributeValue, comparison: Comparison, literal: Literal): boolean {
  if (value.type === "string") return textHolds(value.value, comparison, literal);
  if (value.type === "bool") return literal.type === "bool" && (value.value === literal.value) === (comparison === "=");
  const isNumber = literal.type === "int" || literal.type === "double";
  return isNumber && (value.type === "int" || value.type === "double") && ordered(value.value, comparison, literal.value);
}

/** A bigint and a number compare by value, as they do in ClickHouse. */
function ordered(left: bigint | number, comparison: Comparison, right: bigint | number): boolean {
  const order = left < right ? -1 : left > right ? 1 : 0;
  switch (comparison) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    default:
      return false;
  }
}
