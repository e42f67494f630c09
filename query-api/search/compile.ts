/**
 * Query -> SQL over the table `spans`. Everything that came from outside - values, attribute names, regular expressions - is a bound
 * parameter; the SQL text is put together from the closed lists below only.
 */
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { Bindings, compileText } from "./bindings.ts";
import { compileChosen } from "./compile-chosen.ts";
import { compileAttribute, isServiceName, type CompileContext, type KnownResources } from "./compile-attribute.ts";
import { compileCalculation } from "./compile-operand.ts";
import {
  NO_PARENT,
  compileChildCount,
  compileTraceFigures,
  isTraceFigure,
  splitFigures,
  type TraceFigure,
} from "./compile-trace.ts";
import {
  listFields,
  unreachable,
  type Comparison,
  type Expression,
  type IntrinsicName,
  type Literal,
  type Query,
} from "./query.ts";

export interface CompiledQuery {
  /** A condition over the columns of `spans`, without WHERE; `1` for `{}`. */
  readonly where: string;
  /** Bound by the server, see SpanDatabase. */
  readonly params: Readonly<Record<string, unknown>>;
}

export interface CompileOptions {
  /** Prefix of the parameters' names; two queries in one statement need two. */
  readonly prefix?: string;
  /** Condition that holds what is asked of a trace (rootName, traceDuration, trace:spanCount ...) to the spans in question, e.g. a time range. */
  readonly traceScope?: string;
  /** Of the spans in that scope, where known: conditions look at each resource once, and alternatives that cannot hold are left out. */
  readonly resources?: KnownResources | null;
}

export function compileQuery(query: Query, options: CompileOptions = {}): CompiledQuery {
  const bindings = new Bindings(options.prefix ?? "q");
  const context = { bindings, traceScope: options.traceScope ?? "1", resources: options.resources ?? null };
  const where = query.expression === null ? "1" : compileExpression(query.expression, context);
  return { where, params: bindings.params };
}

/** Whether some attribute may be the span's or the resource's: then it pays to know the resources' keys first. */
export function asksForAnyScope(query: Query): boolean {
  return listFields(query.expression).some((field) => field.kind === "attribute" && field.scope === "any");
}

/** Whether attributes of resources are asked for, the service's name apart: then it pays to know which resources there are. */
export function asksForResources(query: Query): boolean {
  return listFields(query.expression).some(
    (field) =>
      field.kind === "attribute" &&
      (field.scope === "any" || (field.scope === "resource" && !isServiceName(field.scope, field.key))),
  );
}

/** Whether other spans of the trace are asked for: then every trace in the scope has to be read. */
export function asksForTraces(query: Query): boolean {
  return listFields(query.expression).some(
    (field) => field.kind === "intrinsic" && (isTraceFigure(field.name) || field.name === "span:childCount"),
  );
}

/** Whether the condition can be evaluated on spans at hand for next to nothing: no attributes, no events, no sub-selects. */
export function readsCoreColumns({ expression }: Query): boolean {
  const within = (item: Expression): boolean => {
    if (item.kind === "not") return within(item.item);
    if (item.kind === "chosen") return false;
    if (item.kind === "calculate")
      return listFields(item).every((field) => field.kind === "intrinsic" && CORE_INTRINSICS.has(field.name));
    if (item.kind !== "compare") return item.items.every(within);
    return item.field.kind === "intrinsic" ? CORE_INTRINSICS.has(item.field.name) : isOfService(item);
  };
  return expression === null || within(expression);
}

/** Whether a span that is found has a certain value of some attribute, which the filters of granules know. */
export function asksForAttributeValue({ expression }: Query): boolean {
  const within = (item: Expression): boolean => {
    if (item.kind === "and") return item.items.some(within);
    if (item.kind === "or") return item.items.every(within);
    if (item.kind === "chosen") return true;
    return item.kind === "compare" && item.comparison === "=" && item.field.kind === "attribute" && !isOfService(item);
  };
  return expression !== null && within(expression);
}

/** Whether all that is found is of a certain service, whose spans lie together. */
export function namesService({ expression }: Query): boolean {
  const within = (item: Expression): boolean =>
    item.kind === "and" ? item.items.some(within) : item.kind === "compare" && item.comparison === "=" && isOfService(item);
  return expression !== null && within(expression);
}

function isOfService({ field, literal }: Extract<Expression, { kind: "compare" }>): boolean {
  return field.kind === "attribute" && isServiceName(field.scope, field.key) && literal.type === "string";
}

const CORE_INTRINSICS: ReadonlySet<IntrinsicName> = new Set([
  "name",
  "duration",
  "status",
  "kind",
  "statusMessage",
  "trace:id",
  "span:id",
  "span:parentID",
]);

function compileExpression(expression: Expression, context: CompileContext): string {
  switch (expression.kind) {
    case "and":
    case "or": {
      // One pass over the traces answers all that is asked of them together.
      const { figures, others } = splitFigures(expression.kind === "and" ? expression.items : []);
      const isJoined = figures.length > 1;
      const items = (isJoined ? others : expression.items).map((item) => compileExpression(item, context));
      if (isJoined) items.push(compileTraceFigures(figures, context));
      return `(${items.join(expression.kind === "and" ? " AND " : " OR ")})`;
    }
    case "not":
      return `NOT (${compileExpression(expression.item, context)})`;
    case "calculate":
      return compileCalculation(expression, context);
    case "chosen":
      return compileChosen(expression.spans);
    case "compare": {
      const { field, comparison, literal } = expression;
      if (field.kind === "attribute") return compileAttribute(field.scope, field.key, comparison, literal, context);
      return isTraceFigure(field.name)
        ? compileTraceFigures([{ name: field.name, comparison, literal }], context)
        : compileIntrinsic(field.name, comparison, literal, context);
    }
    default:
      return unreachable(expression);
  }
}

function compileIntrinsic(
  name: Exclude<IntrinsicName, TraceFigure>,
  comparison: Comparison,
  literal: Literal,
  context: CompileContext,
): string {
  const { bindings, traceScope } = context;
  const text = (subject: string): string =>
    compileText(subject, comparison, literal.type === "string" ? literal.value : "", bindings);
  const ofRoot = (column: string): string =>
    `trace_id IN (SELECT trace_id FROM spans WHERE parent_span_id = ${NO_PARENT} AND (${traceScope}) AND ${text(column)})`;
  switch (name) {
    case "name":
      return text("name");
    case "statusMessage":
      return text("status_message");
    case "duration": {
      const nano = literal.type === "duration" ? literal.value : 0n;
      return `duration_nano ${comparison} ${bindings.bind(nano < 0n ? "Int64" : "UInt64", nano)}`;
    }
    case "status":
      return `status ${comparison} ${literal.type === "status" ? STATUS_CODES.indexOf(literal.value) : 0}`;
    case "kind":
      return `kind ${comparison} ${literal.type === "kind" ? SPAN_KINDS.indexOf(literal.value) : 0}`;
    case "rootName":
      return ofRoot("name");
    case "rootServiceName":
      return ofRoot("service");
    case "event:name":
      return `arrayExists(item -> ${text("item")}, event_name)`;
    case "event:timeSinceStart": {
      const nano = bindings.bind("Int64", literal.type === "duration" ? literal.value : 0n);
      return `arrayExists(item -> toUnixTimestamp64Nano(item) - toUnixTimestamp64Nano(start) ${comparison} ${nano}, event_time)`;
    }
    case "instrumentation:name":
      return text("JSONExtractString(scope, '$name')");
    case "instrumentation:version":
      return text("JSONExtractString(scope, '$version')");
    case "trace:id":
      return compileId("trace_id", 16, comparison, literal, bindings);
    case "span:id":
      return compileId("span_id", 8, comparison, literal, bindings);
    case "span:parentID":
      return literal.type === "nil"
        ? `parent_span_id ${comparison} ${NO_PARENT}`
        : compileId("parent_span_id", 8, comparison, literal, bindings);
    case "span:childCount":
      return compileChildCount(comparison, literal, context);
    case "link:traceID":
      return `arrayExists(item -> ${compileId("item", 16, comparison, literal, bindings)}, link_trace_id)`;
    case "link:spanID":
      return `arrayExists(item -> ${compileId("item", 8, comparison, literal, bindings)}, link_span_id)`;
    default:
      return unreachable(name);
  }
}

function compileId(subject: string, bytes: 8 | 16, comparison: Comparison, literal: Literal, bindings: Bindings): string {
  const hex = bindings.bind("String", literal.type === "string" ? literal.value : "");
  return `${subject} ${comparison} toFixedString(unhex(${hex}), ${bytes})`;
}
