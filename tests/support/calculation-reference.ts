/** What a comparison of two operands means, span by span in memory. Plain and slow on purpose. */
import type { ArithmeticOperator } from "@callchain/query-api/search/arithmetic.ts";
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import type { Comparison, Expression, Field, Operand } from "@callchain/query-api/search/query.ts";
import type { Attribute, AttributeValue, Span } from "@callchain/schemas/span/span.ts";
import { figureOf, ordered } from "./figures-reference.ts";

/** One way to look at a span: with one of its events and one of its links, where there are any. */
interface View {
  readonly span: Span;
  readonly trace: readonly Span[];
  readonly event: Span["events"][number] | undefined;
  readonly link: Span["links"][number] | undefined;
}

type Value = { readonly type: AttributeValue["type"]; readonly value?: unknown };

export function calculationHolds(
  span: Span,
  trace: readonly Span[],
  { left, comparison, right }: Expression & { kind: "calculate" },
): boolean {
  const views = [...span.events, undefined].flatMap((event) =>
    [...span.links, undefined].map((link): View => ({ span, trace, event, link })),
  );
  return views.some((view) => {
    const number = compareValues(numberOf(left, view), comparison, numberOf(right, view));
    const isPlain = left.kind === "leaf" && right.kind === "leaf";
    if (number || !isPlain) return number;
    const [texts, flags] = [["string"], ["bool"]].map((types) => [left, right].map((side) => valuesOf(side, view, types)[0]));
    const [leftText, rightText] = texts ?? [];
    if (typeof leftText === "string" && typeof rightText === "string") {
      const order = Buffer.compare(Buffer.from(leftText), Buffer.from(rightText));
      if (ordered(order, comparison, 0)) return true;
    }
    const [leftFlag, rightFlag] = flags ?? [];
    const isEquality = comparison === "=" || comparison === "!=";
    return isEquality && leftFlag !== undefined && rightFlag !== undefined && (leftFlag === rightFlag) === (comparison === "=");
  });
}

export function compareValues(left: number | undefined, comparison: Comparison, right: number | undefined): boolean {
  const areThere = left !== undefined && right !== undefined && !Number.isNaN(left) && !Number.isNaN(right);
  return areThere && ordered(left, comparison, right);
}

/** undefined where some part is not there. */
export function numberOf(operand: Operand, view: Pick<View, "span"> & Partial<View>): number | undefined {
  if (operand.kind === "leaf") {
    const [value] = valuesOf(operand, { trace: [view.span], event: undefined, link: undefined, ...view }, ["int", "double"]);
    return value === undefined ? undefined : Number(value);
  }
  if (operand.kind === "negative") {
    const item = numberOf(operand.item, view);
    return item === undefined ? undefined : -item;
  }
  const [left, right] = [numberOf(operand.left, view), numberOf(operand.right, view)];
  return left === undefined || right === undefined ? undefined : OPERATIONS[operand.operator](left, right);
}

export const OPERATIONS: Readonly<Record<ArithmeticOperator, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a - Math.trunc(a / b) * b,
  "^": (a, b) => a ** b,
};

/** Of these types; durations and counts are ints, ids are strings. */
function valuesOf(operand: Operand, view: View, types: readonly string[]): unknown[] {
  if (operand.kind !== "leaf") return [];
  const { leaf } = operand;
  const values: readonly Value[] =
    leaf.kind === "field"
      ? fieldValues(leaf.field, view)
      : leaf.literal.type === "nil"
        ? []
        : [
            {
              type: leaf.literal.type === "duration" ? "int" : leaf.literal.type === "string" ? "string" : "double",
              value: leaf.literal.value,
            },
          ];
  return values.filter(({ type }) => types.includes(type)).map(({ value }) => value);
}

function fieldValues(field: Field, { span, trace, event, link }: View): readonly Value[] {
  if (field.kind === "attribute") {
    const places: Readonly<Record<typeof field.scope, readonly (readonly Attribute[])[]>> = {
      span: [span.attributes],
      resource: [span.resource.attributes],
      any: [span.attributes, span.resource.attributes],
      event: [event?.attributes ?? []],
      link: [link?.attributes ?? []],
      instrumentation: [span.scope.attributes],
    };
    return attributeNames(field.key).flatMap((name) =>
      places[field.scope].flatMap((list) => list.filter(({ key }) => key === name).map(({ value }) => value)),
    );
  }
  const text = (value: string | null | undefined): Value[] =>
    value === null || value === undefined ? [] : [{ type: "string", value }];
  switch (field.name) {
    case "duration":
      return [{ type: "int", value: span.durationNano }];
    case "event:timeSinceStart":
      return event === undefined ? [] : [{ type: "int", value: event.timeNano - span.startNano }];
    case "name":
      return text(span.name);
    case "statusMessage":
      return text(span.status.message);
    case "event:name":
      return text(event?.name);
    case "instrumentation:name":
      return text(span.scope.name);
    case "instrumentation:version":
      return text(span.scope.version);
    case "span:id":
      return text(span.spanId);
    case "span:parentID":
      return text(span.parentSpanId);
    case "trace:id":
      return text(span.traceId);
    case "link:traceID":
      return text(link?.traceId);
    case "link:spanID":
      return text(link?.spanId);
    default:
      return [{ type: "int", value: figureOf(span, trace, field.name) }];
  }
}
