/**
 * What a TraceQL query needs of the database before anything is related in memory: its distinct conditions on spans by number, which
 * of them a span that is found must meet, and which of them a trace must hold.
 */
import { listLeaves } from "./arithmetic.ts";
import {
  formatField,
  formatOperand,
  formatQuery,
  type Expression,
  type Field,
  type GroupField,
  type Operand,
  type Query,
} from "./query.ts";
import type { Spanset, Stage, TraceQuery } from "./trace-query.ts";

/** Conditions by number, joined. No items: always. */
export type Formula =
  | { readonly kind: "filter"; readonly filter: number }
  | { readonly kind: "and" | "or"; readonly items: readonly Formula[] };

const ALWAYS: Formula = { kind: "and", items: [] };

export interface Plan {
  readonly query: TraceQuery;
  /** The distinct conditions; their place is their number. */
  readonly filters: readonly Query[];
  /** Holds for every span that is found. */
  readonly found: Formula;
  /** Each condition that a span of the trace must meet, for the trace to be found. */
  readonly needed: Formula;
  /** Callers are asked for: spans that meet no condition may stand between those that do, or close a cycle with them. */
  readonly needsAllSpans: boolean;
  /** What is distinct of aggregates, of by() and of select(). */
  readonly numbers: readonly Operand[];
  readonly groupFields: readonly GroupField[];
  readonly selected: readonly Field[];
  /** What the values of the groups at the end are of. */
  readonly shownBy: readonly GroupField[];
}

export function planQuery(query: TraceQuery): Plan {
  const filters: Query[] = [];
  visitFilters(query, (expression) => {
    if (filterNumber(filters, expression) < 0) filters.push({ expression });
  });
  const stages = listStages(query);
  return {
    query,
    filters,
    found: foundBy(filters, query),
    needed: neededBy(filters, query),
    needsAllSpans: asksForCallers(query.spanset),
    numbers: distinct(stages.flatMap(operandsOf), formatOperand),
    groupFields: distinct(
      stages.flatMap((stage) => (stage.kind === "by" ? stage.fields : [])),
      formatField,
    ),
    selected: distinct(
      stages.flatMap((stage) => (stage.kind === "select" ? stage.fields : [])),
      formatField,
    ),
    shownBy: query.stages.reduce<readonly GroupField[]>(
      (fields, stage) => (stage.kind === "by" ? [...fields, ...stage.fields] : stage.kind === "coalesce" ? [] : fields),
      [],
    ),
  };
}

/** The number of a condition, or -1. */
export function filterNumber(filters: readonly Query[], expression: Expression | null): number {
  const text = formatQuery({ expression });
  return filters.findIndex((filter) => formatQuery(filter) === text);
}

/** Of a field of by(), by its text. */
export function fieldNumber(fields: readonly GroupField[], field: GroupField): number {
  return fields.findIndex((other) => formatField(other) === formatField(field));
}

/** Of what is aggregated, by its text. */
export function operandNumber(numbers: readonly Operand[], operand: Operand): number {
  return numbers.findIndex((other) => formatOperand(other) === formatOperand(operand));
}

function operandsOf(stage: Stage): Operand[] {
  if (stage.kind !== "aggregate") return [];
  return [stage.left, stage.right]
    .flatMap(listLeaves)
    .flatMap((leaf) => (leaf.kind === "aggregate" && leaf.operand !== null ? [leaf.operand] : []));
}

function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}

function visitFilters({ spanset, stages }: TraceQuery, visit: (expression: Expression | null) => void): void {
  switch (spanset.kind) {
    case "filter":
      visit(spanset.expression);
      break;
    case "piped":
      visitFilters(spanset, visit);
      break;
    default:
      visitFilters({ spanset: spanset.left, stages: [] }, visit);
      visitFilters({ spanset: spanset.right, stages: [] }, visit);
  }
  for (const stage of stages) if (stage.kind === "filter") visit(stage.expression);
}

/** Of the pipeline and of those in parentheses. */
function listStages({ spanset, stages }: TraceQuery): Stage[] {
  switch (spanset.kind) {
    case "filter":
      return [...stages];
    case "piped":
      return [...listStages(spanset), ...stages];
    default:
      return [spanset.left, spanset.right].flatMap((side) => listStages({ spanset: side, stages: [] })).concat(stages);
  }
}

function asksForCallers(spanset: Spanset): boolean {
  if (spanset.kind === "filter") return false;
  if (spanset.kind === "piped") return asksForCallers(spanset.spanset);
  return (spanset.kind === "related" && spanset.sign !== "~") || asksForCallers(spanset.left) || asksForCallers(spanset.right);
}

function foundBy(filters: readonly Query[], { spanset, stages }: TraceQuery): Formula {
  return join("and", [foundIn(filters, spanset), ...stageFormulas(filters, stages)]);
}

function foundIn(filters: readonly Query[], spanset: Spanset): Formula {
  switch (spanset.kind) {
    case "filter":
      return leaf(filters, spanset.expression);
    case "piped":
      return foundBy(filters, spanset);
    case "related":
      if (spanset.form !== "union") return foundIn(filters, spanset.right);
      return join("or", [foundIn(filters, spanset.left), foundIn(filters, spanset.right)]);
    default:
      return join("or", [foundIn(filters, spanset.left), foundIn(filters, spanset.right)]);
  }
}

function neededBy(filters: readonly Query[], { spanset, stages }: TraceQuery): Formula {
  return join("and", [neededIn(filters, spanset), ...stageFormulas(filters, stages)]);
}

function neededIn(filters: readonly Query[], spanset: Spanset): Formula {
  switch (spanset.kind) {
    case "filter":
      return leaf(filters, spanset.expression);
    case "piped":
      return neededBy(filters, spanset);
    case "or":
      return join("or", [neededIn(filters, spanset.left), neededIn(filters, spanset.right)]);
    default: {
      const right = neededIn(filters, spanset.right);
      const needsRightAlone = spanset.kind === "related" && spanset.form === "negated";
      return needsRightAlone ? right : join("and", [neededIn(filters, spanset.left), right]);
    }
  }
}

function stageFormulas(filters: readonly Query[], stages: readonly Stage[]): Formula[] {
  return stages.flatMap((stage) => (stage.kind === "filter" ? [leaf(filters, stage.expression)] : []));
}

function leaf(filters: readonly Query[], expression: Expression | null): Formula {
  return expression === null ? ALWAYS : { kind: "filter", filter: filterNumber(filters, expression) };
}

export function isAlways(formula: Formula): boolean {
  return formula.kind === "and" && formula.items.length === 0;
}

function join(kind: "and" | "or", formulas: readonly Formula[]): Formula {
  if (kind === "or" && formulas.some(isAlways)) return ALWAYS;
  const items = distinct(
    formulas.flatMap((formula) => (formula.kind === kind ? formula.items : [formula])),
    (formula) => JSON.stringify(formula),
  );
  return items.length === 1 ? (items[0] ?? ALWAYS) : { kind, items };
}
