/** What a query means, span by span in memory: the reference that the SQL is held against. Plain and slow on purpose. */
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import type { AttributeScope, Comparison, Expression, Field, Literal } from "@callchain/query-api/search/query.ts";
import type { Attribute, AttributeValue, Span } from "@callchain/schemas/span/span.ts";
import { calculationHolds } from "./calculation-reference.ts";
import { figureOf, isComplete, ordered, rootsOf } from "./figures-reference.ts";

/** `trace`: the spans of its trace, without copies. */
export function spanMatches(span: Span, expression: Expression | null, trace: readonly Span[] = [span]): boolean {
  if (expression === null) return true;
  switch (expression.kind) {
    case "and":
      return expression.items.every((item) => spanMatches(span, item, trace));
    case "or":
      return expression.items.some((item) => spanMatches(span, item, trace));
    case "not":
      return !spanMatches(span, expression.item, trace);
    case "calculate":
      return calculationHolds(span, trace, expression);
    case "chosen":
      throw new Error("spans that were chosen are no part of the language");
    default:
      return comparisonHolds(span, trace, expression.field, expression.comparison, expression.literal);
  }
}

/** A value of the plain types as text, as groups show it; null for what is no value or a composed one. */
export function plainText(value: AttributeValue | undefined): string | null {
  if (value === undefined) return null;
  const isPlain = value.type === "string" || value.type === "int" || value.type === "double" || value.type === "bool";
  return isPlain ? String(value.value) : null;
}

export function attributesIn(span: Span, scope: AttributeScope): readonly Attribute[] {
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

function comparisonHolds(span: Span, trace: readonly Span[], field: Field, comparison: Comparison, literal: Literal): boolean {
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
    case "event:timeSinceStart":
      return span.events.some(({ timeNano }) => numberHolds(timeNano - span.startNano, comparison, literal));
    case "instrumentation:name":
      return textHolds(span.scope.name, comparison, literal);
    case "span:parentID":
      return literal.type === "nil" ? (span.parentSpanId === null) === (comparison === "=") : false;
    case "rootName":
      return rootsOf(trace).some(({ name }) => textHolds(name, comparison, literal));
    case "rootServiceName":
      return rootsOf(trace).some(({ service }) => textHolds(service, comparison, literal));
    default:
      if (field.name === "trace:complete") {
        return literal.type === "bool" && (isComplete(trace) === literal.value) === (comparison === "=");
      }
      return numberHolds(figureOf(span, trace, field.name), comparison, literal);
  }
}

function numberHolds(value: bigint | number, comparison: Comparison, literal: Literal): boolean {
  return (
    (literal.type === "int" || literal.type === "duration" || literal.type === "double") &&
    ordered(value, comparison, literal.value)
  );
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
