/**
 * The query language's tree: TraceQL, one spanset `{ ... }` over the fields of one span (trace-query.ts has what is built of several). Grammar and meaning follow Tempo's TraceQL
 * (https://grafana.com/docs/tempo/latest/traceql/); where ours differs:
 *   - a comparison with an attribute holds where the attribute is there with the literal's type and compares so; `!=` therefore wants
 *     the attribute to be there (`= nil` asks for its absence);
 *   - `.x` holds where the span's or the resource's x does; an attribute that semantic conventions renamed is looked up under all its names;
 *   - regular expressions are RE2, anchored at both ends;
 *   - where two fields or what is calculated of them are compared, a field stands for the first value that the span has for it.
 */
import type { SpanKind, StatusCode } from "@callchain/schemas/span/span.ts";
import { formatArithmetic, listLeaves, type Arithmetic } from "./arithmetic.ts";
import { formatDuration } from "./units.ts";

/** "any" is the bare `.x`: span or resource. */
export const ATTRIBUTE_SCOPES = ["span", "resource", "event", "link", "instrumentation", "any"] as const;
export type AttributeScope = (typeof ATTRIBUTE_SCOPES)[number];

/** What a field compares with. */
export type FieldType = "string" | "duration" | "status" | "kind" | "id" | "count" | "bool";

/** The intrinsics under the name that answers show, with their other spellings. The closed list of what is not an attribute. */
export const INTRINSICS = {
  name: { type: "string", aliases: ["span:name"] },
  duration: { type: "duration", aliases: ["span:duration"] },
  status: { type: "status", aliases: ["span:status"] },
  statusMessage: { type: "string", aliases: ["span:statusMessage"] },
  kind: { type: "kind", aliases: ["span:kind"] },
  "span:id": { type: "id", aliases: [] },
  "span:parentID": { type: "id", aliases: [] },
  "span:childCount": { type: "count", aliases: ["childCount"] },
  "trace:id": { type: "id", aliases: [] },
  traceDuration: { type: "duration", aliases: ["trace:duration"] },
  rootName: { type: "string", aliases: ["trace:rootName"] },
  rootServiceName: { type: "string", aliases: ["trace:rootService"] },
  // Of the whole trace, beyond Tempo's: over its spans in the time range, copies counted once.
  "trace:spanCount": { type: "count", aliases: [] },
  "trace:serviceCount": { type: "count", aliases: [] },
  "trace:errorCount": { type: "count", aliases: [] },
  "trace:rootCount": { type: "count", aliases: [] },
  "trace:missingParentCount": { type: "count", aliases: [] },
  "trace:complete": { type: "bool", aliases: [] },
  "event:name": { type: "string", aliases: [] },
  "event:timeSinceStart": { type: "duration", aliases: [] },
  "link:traceID": { type: "id", aliases: [] },
  "link:spanID": { type: "id", aliases: [] },
  "instrumentation:name": { type: "string", aliases: [] },
  "instrumentation:version": { type: "string", aliases: [] },
} as const satisfies Record<string, { type: FieldType; aliases: readonly string[] }>;
export type IntrinsicName = keyof typeof INTRINSICS;

export type Field =
  | { readonly kind: "attribute"; readonly scope: AttributeScope; readonly key: string }
  | { readonly kind: "intrinsic"; readonly name: IntrinsicName };

/** The intrinsics that have one value a span which a group can be named by. */
export const GROUP_INTRINSICS = [
  "name",
  "kind",
  "status",
  "statusMessage",
  "instrumentation:name",
  "instrumentation:version",
] as const;
type GroupIntrinsic = (typeof GROUP_INTRINSICS)[number];

/** A field with one value a span: what spans can be grouped by, and what can be shown of them. */
export type GroupField =
  | { readonly kind: "attribute"; readonly scope: "span" | "resource" | "any"; readonly key: string }
  | { readonly kind: "intrinsic"; readonly name: GroupIntrinsic };

export const GROUP_FIELDS_EXPECTED = `an attribute of the span or the resource, or one of ${GROUP_INTRINSICS.join(", ")}`;

export function isGroupField(field: Field): field is GroupField {
  return field.kind === "intrinsic"
    ? GROUP_INTRINSICS.some((name) => name === field.name)
    : field.scope === "span" || field.scope === "resource" || field.scope === "any";
}

export const COMPARISONS = ["=", "!=", ">", "<", ">=", "<=", "=~", "!~"] as const;
export type Comparison = (typeof COMPARISONS)[number];

export type Literal =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "double"; readonly value: number }
  | { readonly type: "duration"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "status"; readonly value: StatusCode }
  | { readonly type: "kind"; readonly value: SpanKind }
  | { readonly type: "nil" };

export type OperandLeaf =
  | { readonly kind: "field"; readonly field: Field }
  | { readonly kind: "literal"; readonly literal: Literal };
/** A value of a span: a field, a literal, or a number that is calculated of them; durations are nanoseconds then. */
export type Operand = Arithmetic<OperandLeaf>;

export type Expression =
  | { readonly kind: "and" | "or"; readonly items: readonly Expression[] }
  | { readonly kind: "not"; readonly item: Expression }
  /** A field with a literal: what indexes and rollups know. */
  | { readonly kind: "compare"; readonly field: Field; readonly comparison: Comparison; readonly literal: Literal }
  /** Any other two operands. */
  | { readonly kind: "calculate"; readonly left: Operand; readonly comparison: Comparison; readonly right: Operand }
  /** Not of the language: what an evaluation found, for questions about these spans (store/choose-spans.ts). */
  | { readonly kind: "chosen"; readonly spans: ChosenSpans };

export interface ChosenSpans {
  /** The query that found them, in TraceQL. */
  readonly text: string;
  readonly count: number;
  /** That it compares in what is found. */
  readonly fields: readonly Field[];
  /** The hash of each (compile-chosen.ts) in hex, highest byte first: CHOSEN_SPAN_DIGITS a span. */
  readonly digits: string;
  /** The first and the last start. */
  readonly fromNano: bigint;
  readonly toNano: bigint;
}

export const CHOSEN_SPAN_DIGITS = 16;

/** null: `{}`, every span. */
export interface Query {
  readonly expression: Expression | null;
}

/** Every span. */
export const EVERYTHING: Query = { expression: null };

export const QUERY_CHARS_MAX = 4096;
export const REGEX_CHARS_MAX = 256;
export const TERM_COUNT_MAX = 64;
export const NESTING_MAX = 32;

export function attribute(scope: AttributeScope, key: string): Field {
  return { kind: "attribute", scope, key };
}

export function intrinsic(name: IntrinsicName): Field {
  return { kind: "intrinsic", name };
}

export function compare(field: Field, comparison: Comparison, literal: Literal): Expression {
  return { kind: "compare", field, comparison, literal };
}

/** Every field that is asked for. */
export function listFields(expression: Expression | null): Field[] {
  if (expression === null) return [];
  switch (expression.kind) {
    case "compare":
      return [expression.field];
    case "not":
      return listFields(expression.item);
    case "calculate":
      return [...fieldsIn(expression.left), ...fieldsIn(expression.right)];
    case "chosen":
      return [];
    default:
      return expression.items.flatMap(listFields);
  }
}

export function fieldsIn(operand: Operand): Field[] {
  return listLeaves(operand).flatMap((leaf) => (leaf.kind === "field" ? [leaf.field] : []));
}

/** Ends a switch over a closed list: the type checker refuses it while a case is missing. */
export function unreachable(value: never): never {
  throw new TypeError(`not in the closed list: ${String(value)}`);
}

/** All of the queries at once: their expressions joined by `&&`. */
export function joinQueries(...queries: readonly Query[]): Query {
  const items = queries.flatMap(({ expression }) => (expression === null ? [] : [expression]));
  return { expression: joinExpressions("and", items) };
}

/** Flattens what is of the same kind; null for no items. */
export function joinExpressions(kind: "and" | "or", items: readonly Expression[]): Expression | null {
  const flat = items.flatMap((item) => (item.kind === kind ? item.items : [item]));
  return flat.length > 1 ? { kind, items: flat } : (flat[0] ?? null);
}

/** The query in TraceQL; parsing it gives the same query again. */
export function formatQuery(query: Query): string {
  if (query.expression?.kind === "chosen") return query.expression.spans.text;
  return query.expression === null ? "{ }" : `{ ${formatExpression(query.expression, false)} }`;
}

function formatExpression(expression: Expression, isInner: boolean): string {
  switch (expression.kind) {
    case "compare":
      return `${formatField(expression.field)} ${expression.comparison} ${formatLiteral(expression.literal)}`;
    case "calculate":
      return `${formatOperand(expression.left)} ${expression.comparison} ${formatOperand(expression.right)}`;
    case "not":
      return `!(${formatExpression(expression.item, false)})`;
    case "chosen":
      return `(${expression.spans.text})`;
    case "and":
    case "or": {
      const joined = expression.items
        .map((item) => formatExpression(item, true))
        .join(expression.kind === "and" ? " && " : " || ");
      return isInner ? `(${joined})` : joined;
    }
    default:
      return unreachable(expression);
  }
}

export function formatOperand(operand: Operand): string {
  return formatArithmetic(operand, (leaf) => (leaf.kind === "field" ? formatField(leaf.field) : formatLiteral(leaf.literal)));
}

const PLAIN_KEY = /^[\p{L}\p{N}_.\-/:@$]+$/u;

export function formatField(field: Field): string {
  if (field.kind === "intrinsic") return field.name;
  // `.5` is a number.
  const isNumber = field.scope === "any" && /^\d/.test(field.key);
  const isPlain = PLAIN_KEY.test(field.key) && !field.key.endsWith(".") && !isNumber;
  const key = isPlain ? field.key : JSON.stringify(field.key);
  return `${field.scope === "any" ? "" : field.scope}.${key}`;
}

export function formatLiteral(literal: Literal): string {
  switch (literal.type) {
    case "string":
      return JSON.stringify(literal.value);
    case "double":
      return Number.isInteger(literal.value) ? formatWholeDouble(literal.value) : String(literal.value);
    case "duration":
      return formatDuration(literal.value);
    case "nil":
      return "nil";
    default:
      return String(literal.value);
  }
}

/** `1e+21` already reads as a double, `5` needs its point. */
function formatWholeDouble(value: number): string {
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes("e") ? text : `${text}.0`;
}
