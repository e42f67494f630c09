/**
 * What is asked of a trace as a whole: its spans in the scope are summed up once, and `trace_id` is looked for among the traces that fit.
 * Copies of a span count once. On a busy store this is the dearest kind of condition: it reads every trace in the scope.
 */
import type { CompileContext } from "./compile-attribute.ts";
import type { Comparison, Expression, IntrinsicName, Literal } from "./query.ts";

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
export const SPAN = "cityHash64(span_id, kind, start, duration_nano)";
const ROOTS = `uniqExactIf(${SPAN}, parent_span_id = ${NO_PARENT})`;
const PARENTS = `groupUniqArrayIf(reinterpretAsUInt64(parent_span_id), parent_span_id != ${NO_PARENT})`;
const MISSING = `length(${PARENTS}) - length(arrayIntersect(${PARENTS}, groupUniqArray(reinterpretAsUInt64(span_id))))`;

/** Aggregates over the spans of a trace. */
const FIGURE_SQL: Readonly<Record<TraceFigure, string>> = {
  traceDuration: `max(${START} + duration_nano) - min(${START})`,
  "trace:spanCount": `uniqExact(${SPAN})`,
  "trace:serviceCount": "uniqExact(service)",
  "trace:errorCount": `uniqExactIf(${SPAN}, status = 2)`,
  "trace:rootCount": ROOTS,
  "trace:missingParentCount": MISSING,
  "trace:complete": `(${ROOTS} = 1 AND ${MISSING} = 0)`,
};

/** All of them hold. `figures` has at least one. */
export function compileTraceFigures(figures: readonly FigureComparison[], context: CompileContext): string {
  const having = figures.map((figure) => compileFigure(figure, context)).join(" AND ");
  return `trace_id IN (SELECT trace_id FROM spans WHERE (${context.traceScope}) GROUP BY trace_id HAVING ${having})`;
}

function compileFigure({ name, comparison, literal }: FigureComparison, { bindings }: CompileContext): string {
  if (name === "trace:complete") {
    const isWanted = (comparison === "=") === (literal.type === "bool" && literal.value);
    return `${isWanted ? "" : "NOT "}${FIGURE_SQL[name]}`;
  }
  const number = literal.type === "int" || literal.type === "duration" ? literal.value : 0n;
  return `${FIGURE_SQL[name]} ${comparison} ${bindings.bind("Int64", number)}`;
}

/** Children by the parent that they name, in the scope: the SELECT list and `where` are the caller's. */
const IS_CHILD = `parent_span_id != ${NO_PARENT} AND parent_span_id != span_id`;

/** Spans without children are in no group: where none would do, what is left out is looked for. */
export function compileChildCount(comparison: Comparison, literal: Literal, { bindings, traceScope }: CompileContext): string {
  const value = literal.type === "int" ? literal.value : 0n;
  const holds = `uniqExact(${SPAN}) ${comparison} ${bindings.bind("Int64", value)}`;
  const ofNone = zeroHolds(comparison, value);
  return `(trace_id, span_id) ${ofNone ? "NOT " : ""}IN (SELECT trace_id, parent_span_id FROM spans WHERE (${traceScope}) AND ${IS_CHILD}
    GROUP BY trace_id, parent_span_id HAVING ${ofNone ? `NOT (${holds})` : holds})`;
}

function zeroHolds(comparison: Comparison, value: bigint): boolean {
  switch (comparison) {
    case "=":
      return value === 0n;
    case "!=":
      return value !== 0n;
    case ">":
      return value < 0n;
    case ">=":
      return value <= 0n;
    case "<":
      return value > 0n;
    default:
      return value >= 0n;
  }
}

/** What is known of a span only with others of its trace at hand, as columns of a join. */
const TRACE_COLUMNS: Readonly<Record<TraceFigure | "rootName" | "rootServiceName", readonly [column: string, sql: string]>> = {
  traceDuration: ["of_trace_duration", FIGURE_SQL.traceDuration],
  "trace:spanCount": ["of_trace_spans", FIGURE_SQL["trace:spanCount"]],
  "trace:serviceCount": ["of_trace_services", FIGURE_SQL["trace:serviceCount"]],
  "trace:errorCount": ["of_trace_errors", FIGURE_SQL["trace:errorCount"]],
  "trace:rootCount": ["of_trace_roots", FIGURE_SQL["trace:rootCount"]],
  "trace:missingParentCount": ["of_trace_missing", FIGURE_SQL["trace:missingParentCount"]],
  "trace:complete": ["of_trace_complete", FIGURE_SQL["trace:complete"]],
  rootName: ["of_trace_root_name", firstRoot("name")],
  rootServiceName: ["of_trace_root_service", firstRoot("service")],
};
const CHILD_COLUMN = "of_children";

function firstRoot(column: "name" | "service"): string {
  return `argMinIf(toNullable(toString(${column})), (start, span_id), parent_span_id = ${NO_PARENT})`;
}

/** The column of joinOfTraces that has the field; undefined where the span has it itself. */
export function traceColumn(name: IntrinsicName): string | undefined {
  if (name === "span:childCount") return CHILD_COLUMN;
  return name in TRACE_COLUMNS ? TRACE_COLUMNS[name as keyof typeof TRACE_COLUMNS][0] : undefined; // the check before says so
}

/** Joins to follow `FROM spans`, with the columns of these fields for every span in the scope. */
export function joinOfTraces(names: readonly IntrinsicName[], traceScope: string): string {
  const columns = Object.entries(TRACE_COLUMNS).flatMap(([name, [column, sql]]) =>
    names.some((wanted) => wanted === name) ? [`${sql} AS ${column}`] : [],
  );
  const ofTraces = `LEFT JOIN (SELECT trace_id, ${columns.join(", ")} FROM spans WHERE (${traceScope}) GROUP BY trace_id) AS of_trace USING (trace_id)`;
  // Renamed outside: within, the new name would stand for the column.
  const ofChildren = `LEFT JOIN (SELECT trace_id, parent AS span_id, ${CHILD_COLUMN} FROM
    (SELECT trace_id, parent_span_id AS parent, uniqExact(${SPAN}) AS ${CHILD_COLUMN} FROM spans
     WHERE (${traceScope}) AND ${IS_CHILD} GROUP BY trace_id, parent_span_id)) AS of_child USING (trace_id, span_id)`;
  return [...(columns.length === 0 ? [] : [ofTraces]), ...(names.includes("span:childCount") ? [ofChildren] : [])].join(" ");
}
