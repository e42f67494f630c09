/**
 * The tree of a whole TraceQL query: spansets that are combined or related within a trace, and a pipeline of stages over what they select.
 *
 *   { .a } >> { .b } && { .c } | by(resource.service.name) | count() > 2 | select(span.http.route)
 *
 * A spanset selects some spans of each trace; a trace is found where something is left at the end. Unlike Tempo, where `&&` and `||`
 * bind alike, `&&` binds tighter than `||`, and relations bind tighter than both.
 */
import { formatArithmetic, type Arithmetic } from "./arithmetic.ts";
import {
  fieldsIn,
  formatField,
  formatLiteral,
  formatOperand,
  formatQuery,
  joinQueries,
  unreachable,
  type Comparison,
  type Expression,
  type Field,
  type GroupField,
  type Literal,
  type Operand,
  type Query,
} from "./query.ts";

/** The relation of the right side's spans to the left side's: `{ a } > { b }` selects the b that are children of some a. */
export const RELATIONS = { ">": "child", ">>": "descendant", "<": "parent", "<<": "ancestor", "~": "sibling" } as const;
export type RelationSign = keyof typeof RELATIONS;
export type Relation = (typeof RELATIONS)[RelationSign];

/** `!` selects the right side's spans that are in no such relation; `&` the spans of both sides that are. */
export const RELATION_FORMS = { "": "plain", "!": "negated", "&": "union" } as const;
export type RelationForm = (typeof RELATION_FORMS)[keyof typeof RELATION_FORMS];

export type Spanset =
  /** null: every span. */
  | { readonly kind: "filter"; readonly expression: Expression | null }
  /** "and": the spans of both where both select some. "or": the spans of either. */
  | { readonly kind: "and" | "or"; readonly left: Spanset; readonly right: Spanset }
  | {
      readonly kind: "related";
      readonly sign: RelationSign;
      readonly form: RelationForm;
      readonly left: Spanset;
      readonly right: Spanset;
    }
  /** A pipeline in parentheses: the spans that it leaves. */
  | { readonly kind: "piped"; readonly spanset: Spanset; readonly stages: readonly Stage[] };

export const AGGREGATES = ["count", "avg", "max", "min", "sum"] as const;
export type Aggregate = (typeof AGGREGATES)[number];

/** A number of a group of spans; `operand`, of each span, is null for count alone. */
export type ScalarLeaf =
  | { readonly kind: "aggregate"; readonly aggregate: Aggregate; readonly operand: Operand | null }
  | { readonly kind: "literal"; readonly literal: Literal };
export type Scalar = Arithmetic<ScalarLeaf>;

/** Whether every span has the number in itself, once: what can be aggregated. */
export function isSpanNumber(operand: Operand): boolean {
  const isOfSpan = (field: Field): boolean =>
    field.kind === "attribute" ? field.scope !== "event" && field.scope !== "link" : field.name === "duration";
  const fields = fieldsIn(operand);
  return fields.length > 0 && fields.every(isOfSpan);
}

export const SPAN_NUMBER_EXPECTED =
  "duration, or an attribute of the span, the resource or the instrumentation, or a number calculated of them";

/** The operand is the duration alone: then numbers are compared with durations. */
export function isDuration(operand: Operand | null): boolean {
  return operand?.kind === "leaf" && operand.leaf.kind === "field" && formatField(operand.leaf.field) === "duration";
}

export type Stage =
  | { readonly kind: "filter"; readonly expression: Expression | null }
  /** Durations are in nanoseconds, literals and aggregates alike. */
  | { readonly kind: "aggregate"; readonly left: Scalar; readonly comparison: Comparison; readonly right: Scalar }
  | { readonly kind: "by"; readonly fields: readonly GroupField[] }
  | { readonly kind: "select"; readonly fields: readonly Field[] }
  | { readonly kind: "coalesce" };

export interface TraceQuery {
  readonly spanset: Spanset;
  readonly stages: readonly Stage[];
}

export const SPANSET_COUNT_MAX = 16;
export const STAGE_COUNT_MAX = 16;
export const STAGE_FIELD_COUNT_MAX = 8;

/** A query of one spanset. */
export function traceQueryOf({ expression }: Query): TraceQuery {
  return { spanset: { kind: "filter", expression }, stages: [] };
}

/** The query where it is one spanset `{ ... }`, and further ones as its only stages; then it is a question about spans. */
export function asSpanQuery({ spanset, stages }: TraceQuery): Query | null {
  const filters = [spanset, ...stages].flatMap((item) => (item.kind === "filter" ? [item] : []));
  return filters.length === 1 + stages.length ? joinQueries(...filters) : null;
}

/** The query, with its spans held to `query` too: a single spanset's before its stages, those of several as the first stage. */
export function narrowQuery({ spanset, stages }: TraceQuery, query: Query): TraceQuery {
  if (query.expression === null) return { spanset, stages };
  if (spanset.kind === "filter") {
    return { spanset: { kind: "filter", ...joinQueries(query, { expression: spanset.expression }) }, stages };
  }
  return { spanset, stages: [{ kind: "filter", expression: query.expression }, ...stages] };
}

/** The query in TraceQL, with every parenthesis that its meaning needs; parsing it gives the same query again. */
export function formatTraceQuery({ spanset, stages }: TraceQuery): string {
  return [formatSpanset(spanset, false), ...stages.map(formatStage)].join(" | ");
}

function formatSpanset(spanset: Spanset, isInner: boolean): string {
  switch (spanset.kind) {
    case "filter":
      return formatQuery(spanset);
    case "piped":
      return `(${formatTraceQuery(spanset)})`;
    case "and":
    case "or":
    case "related": {
      const sign = spanset.kind === "related" ? formatRelation(spanset) : spanset.kind === "and" ? "&&" : "||";
      const text = `${formatSpanset(spanset.left, true)} ${sign} ${formatSpanset(spanset.right, true)}`;
      return isInner ? `(${text})` : text;
    }
    default:
      return unreachable(spanset);
  }
}

function formatRelation({ sign, form }: { readonly sign: RelationSign; readonly form: RelationForm }): string {
  return `${form === "negated" ? "!" : form === "union" ? "&" : ""}${sign}`;
}

export function formatStage(stage: Stage): string {
  switch (stage.kind) {
    case "filter":
      return formatQuery(stage);
    case "aggregate":
      return `${formatScalar(stage.left)} ${stage.comparison} ${formatScalar(stage.right)}`;
    case "by":
    case "select":
      return `${stage.kind}(${stage.fields.map(formatField).join(", ")})`;
    case "coalesce":
      return "coalesce()";
    default:
      return unreachable(stage);
  }
}

function formatScalar(scalar: Scalar): string {
  return formatArithmetic(scalar, (leaf) =>
    leaf.kind === "literal"
      ? formatLiteral(leaf.literal)
      : `${leaf.aggregate}(${leaf.operand === null ? "" : formatOperand(leaf.operand)})`,
  );
}
