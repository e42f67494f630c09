/** What a TraceQL query finds among traces in memory: the reference that the engine's answers are held against. Plain and slow on purpose. */
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import type { GroupField } from "@callchain/query-api/search/query.ts";
import type { Scalar, Spanset, Stage, TraceQuery } from "@callchain/query-api/search/trace-query.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { OPERATIONS, compareValues, numberOf } from "./calculation-reference.ts";
import { attributesIn, plainText, spanMatches } from "./query-reference.ts";

export interface Group {
  readonly by: readonly (string | null)[];
  readonly spans: readonly Span[];
}

/** Groups of matched spans by trace id; traces without any are left out. */
export function findInTraces(spans: readonly Span[], query: TraceQuery): Map<string, Group[]> {
  const found = new Map<string, Group[]>();
  for (const [traceId, copies] of Map.groupBy(spans, (span) => span.traceId)) {
    const groups = runPipeline(withoutCopies(copies), query);
    if (groups.length > 0) found.set(traceId, groups);
  }
  return found;
}

/** Equal for copies of a span. */
export function wholeText(span: Span): string {
  return JSON.stringify(span, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

function withoutCopies(spans: readonly Span[]): Span[] {
  return [...new Map(spans.map((span) => [wholeText(span), span])).values()].toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
}

function isBefore(a: Span, b: Span): boolean {
  return a.startNano === b.startNano ? a.spanId < b.spanId : a.startNano < b.startNano;
}

function runPipeline(trace: readonly Span[], { spanset, stages }: TraceQuery): Group[] {
  const spans = select(trace, spanset);
  let groups: Group[] = spans.length === 0 ? [] : [{ by: [], spans }];
  for (const stage of stages) groups = runStage(trace, stage, groups);
  return groups;
}

function select(trace: readonly Span[], spanset: Spanset): Span[] {
  if (spanset.kind === "filter") return trace.filter((span) => spanMatches(span, spanset.expression, trace));
  if (spanset.kind === "piped") {
    const kept = runPipeline(trace, spanset).flatMap(({ spans }) => spans);
    return trace.filter((span) => kept.includes(span));
  }
  const left = select(trace, spanset.left);
  const right = select(trace, spanset.right);
  const both = trace.filter((span) => left.includes(span) || right.includes(span));
  if (spanset.kind !== "related") return spanset.kind === "or" || (left.length > 0 && right.length > 0) ? both : [];
  const parents = findParents(trace);
  const isRelated = (from: Span, to: Span): boolean => {
    switch (spanset.sign) {
      case ">":
        return parents.get(to) === from;
      case "<":
        return parents.get(from) === to;
      case ">>":
        return ancestorsOf(to, parents).includes(from);
      case "<<":
        return ancestorsOf(from, parents).includes(to);
      case "~":
        return from !== to && from.parentSpanId !== null && from.parentSpanId === to.parentSpanId;
      default:
        return false;
    }
  };
  const reached = right.filter((to) => left.some((from) => isRelated(from, to)));
  if (spanset.form === "plain") return reached;
  if (spanset.form === "negated") return right.filter((span) => !reached.includes(span));
  const reaching = left.filter((from) => right.some((to) => isRelated(from, to)));
  return trace.filter((span) => reached.includes(span) || reaching.includes(span));
}

function ancestorsOf(span: Span, parents: ReadonlyMap<Span, Span>): Span[] {
  const parent = parents.get(span);
  return parent === undefined ? [] : [parent, ...ancestorsOf(parent, parents)];
}

/** The parent of each span that has one here. A cycle is cut above its earliest span. Ids are unique but for copies. */
function findParents(trace: readonly Span[]): Map<Span, Span> {
  const parents = new Map<Span, Span>();
  for (const span of trace) {
    const parent = trace.find(({ spanId }) => spanId === span.parentSpanId);
    if (parent !== undefined && parent !== span) parents.set(span, parent);
  }
  for (const span of trace) {
    const above: Span[] = [];
    for (let at = parents.get(span); at !== undefined && !above.includes(at); at = parents.get(at)) above.push(at);
    const isInCycle = above.includes(span);
    if (isInCycle && above.every((other) => other === span || isBefore(span, other))) parents.delete(span);
  }
  return parents;
}

function runStage(trace: readonly Span[], stage: Stage, groups: readonly Group[]): Group[] {
  switch (stage.kind) {
    case "filter":
      return groups
        .map(({ by, spans }) => ({ by, spans: spans.filter((span) => spanMatches(span, stage.expression, trace)) }))
        .filter(({ spans }) => spans.length > 0);
    case "by":
      return groups.flatMap((group) => {
        const valuesOf = (span: Span): (string | null)[] => stage.fields.map((field) => textOf(span, field));
        const parts = Map.groupBy(group.spans, (span) => JSON.stringify(valuesOf(span)));
        return [...parts.values()].map((spans) => ({ by: [...group.by, ...spans.slice(0, 1).flatMap(valuesOf)], spans }));
      });
    case "coalesce":
      return groups.length === 0 ? [] : [{ by: [], spans: groups.flatMap(({ spans }) => spans) }];
    case "aggregate":
      return groups.filter(({ spans }) => {
        const [left, right] = [stage.left, stage.right].map((side) => scalarOf(side, spans));
        return compareValues(left, stage.comparison, right);
      });
    default:
      return [...groups];
  }
}

/** undefined where there is no span to aggregate. */
function scalarOf(scalar: Scalar, spans: readonly Span[]): number | undefined {
  if (scalar.kind === "negative") {
    const item = scalarOf(scalar.item, spans);
    return item === undefined ? undefined : -item;
  }
  if (scalar.kind === "binary") {
    const [left, right] = [scalarOf(scalar.left, spans), scalarOf(scalar.right, spans)];
    return left === undefined || right === undefined ? undefined : OPERATIONS[scalar.operator](left, right);
  }
  const { leaf } = scalar;
  if (leaf.kind === "literal") return "value" in leaf.literal ? Number(leaf.literal.value) : undefined;
  const { operand } = leaf;
  if (operand === null) return spans.length;
  const values = spans.flatMap((span) => numberOf(operand, { span }) ?? []).filter((value) => !Number.isNaN(value));
  if (values.length === 0) return undefined;
  const total = values.reduce((sum, value) => sum + value, 0);
  const results = {
    count: values.length,
    sum: total,
    avg: total / values.length,
    min: Math.min(...values),
    max: Math.max(...values),
  };
  return results[leaf.aggregate];
}

/** In this order: name by name, the span's before the resource's. */
function valuesOf(span: Span, field: GroupField & { kind: "attribute" }): Span["attributes"][number]["value"][] {
  const scopes = field.scope === "any" ? (["span", "resource"] as const) : [field.scope];
  return attributeNames(field.key).flatMap((name) =>
    scopes.flatMap((scope) => attributesIn(span, scope).flatMap(({ key, value }) => (key === name ? [value] : []))),
  );
}

export function textOf(span: Span, field: GroupField): string | null {
  if (field.kind === "intrinsic") {
    if (field.name === "name") return span.name;
    if (field.name === "kind") return span.kind;
    if (field.name === "status") return span.status.code;
    throw new Error(`the reference does not know ${field.name}`);
  }
  if (field.key === "service.name" && field.scope !== "span") return span.service;
  return plainText(valuesOf(span, field)[0]);
}
