/**
 * What is asked of a trace as a whole: its spans in the scope are summed up once, and `trace_id` is looked for among the traces that fit.
 * Copies of a span count once. On a busy store this is the dearest kind of condition: it reads every trace in the scope.
 */
import type { CompileContext } from "./compile-attribute.ts";
import { unreachable, type Comparison, type Expression, type IntrinsicName, type Literal } from "./query.ts";

const TRACE_FIGURES = [
  "traceDuration",
  "trace:spanCount",
  "trace:serviceCount",
  "trace:errorCount",
  "trace:rootCount",
  "trace:missingParentCount",
  "trace:complete",
] as const;
export type TraceFigure = (typeof TRACE_FIGURES)[number];

export interface FigureComparison {
  readonly name: TraceFigure;
  readonly comparison: Comparison;
  readonly literal: Literal;
}

export function isTraceFigure(name: IntrinsicName): name is TraceFigure {
  return TRACE_FIGURES.some((figure) => figure === name);
}

/** Splits what is asked of the trace as a whole from what is asked of the span. */
export function splitFigures(items: readonly Expression[]): { figures: FigureComparison[]; others: Expression[] } {
  const figures: FigureComparison[] = [];
  const others: Expression[] = [];
  for (const item of items) {
    const name = item.kind === "compare" && item.field.kind === "intrinsic" ? item.field.name : undefined;
    if (item.kind === "compare" && name !== undefined && isTraceFigure(name)) figures.push({ ...item, name });
    else others.push(item);
  }
  return { figures, others };
}

/** Eight zero bytes: the parent of a span that has none. */
export const NO_PARENT = "toFixedString('\\0\\0\\0\\0\\0\\0\\0\\0', 8)";
const START = "toUnixTimestamp64Nano(start)";
/** Tells a span from its copies, which are equal in it. Sets of numbers take a third of the time that sets of tuples or bytes take. */
const SPAN = "cityHash64(span_id, kind, start, duration_nano)";
const ROOTS = `uniqExactIf(${SPAN}, parent_span_id = ${NO_PARENT})`;
const PARENTS = `groupUniqArrayIf(reinterpretAsUInt64(parent_span_id), parent_span_id != ${NO_PARENT})`;
const MISSING = `length(${PARENTS}) - length(arrayIntersect(${PARENTS}, groupUniqArray(reinterpretAsUInt64(span_id))))`;

/** All of them hold. `figures` has at least one. */
export function compileTraceFigures(figures: readonly FigureComparison[], context: CompileContext): string {
  const having = figures.map((figure) => compileFigure(figure, context)).join(" AND ");
  return `trace_id IN (SELECT trace_id FROM spans WHERE (${context.traceScope}) GROUP BY trace_id HAVING ${having})`;
}

function compileFigure({ name, comparison, literal }: FigureComparison, { bindings }: CompileContext): string {
  const number = (): string => bindings.bind("Int64", literal.type === "int" || literal.type === "duration" ? literal.value : 0n);
  switch (name) {
    case "traceDuration":
      return `max(${START} + duration_nano) - min(${START}) ${comparison} ${number()}`;
    case "trace:spanCount":
      return `uniqExact(${SPAN}) ${comparison} ${number()}`;
    case "trace:serviceCount":
      return `uniqExact(service) ${comparison} ${number()}`;
    case "trace:errorCount":
      return `uniqExactIf(${SPAN}, status = 2) ${comparison} ${number()}`;
    case "trace:rootCount":
      return `${ROOTS} ${comparison} ${number()}`;
    case "trace:missingParentCount":
      return `${MISSING} ${comparison} ${number()}`;
    case "trace:complete": {
      const isWanted = (comparison === "=") === (literal.type === "bool" && literal.value);
      return `${isWanted ? "" : "NOT "}(${ROOTS} = 1 AND ${MISSING} = 0)`;
    }
    default:
      return unreachable(name);
  }
}
