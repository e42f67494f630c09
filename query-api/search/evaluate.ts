/** What a TraceQL query finds among the spans of one trace. Pure: positions in, positions out. */
import { calculate } from "./arithmetic.ts";
import { compareNumbers } from "./compare-numbers.ts";
import { fieldNumber, filterNumber, operandNumber, type Plan } from "./plan.ts";
import { unreachable, type Expression } from "./query.ts";
import { RELATIONS, type Relation, type ScalarLeaf, type Spanset, type Stage, type TraceQuery } from "./trace-query.ts";

/** The spans of one trace by position, copies left out. */
export interface TraceSpans {
  readonly count: number;
  /** Position of the parent in the call tree, or -1. */
  readonly parent: Int32Array;
  /** Equal for spans whose parent ids are equal and not zero, -1 where there is none; whether the parent is here does not matter. */
  readonly family: Int32Array;
  /** Whether a condition of the plan holds for a span. */
  readonly holds: (filter: number, at: number) => boolean;
  /** A number of the plan, NaN where the span has none. */
  readonly number: (number: number, at: number) => number;
  /** A group field of the plan. */
  readonly text: (field: number, at: number) => string | null;
}

export interface SpanGroup {
  /** A value for each field of the plan's by(), null where the group's spans have none; [] without by(). */
  readonly by: readonly (string | null)[];
  /** Ascending, at least one. */
  readonly spans: readonly number[];
}

/** The groups that are left at the end of the pipeline: one without by(), none where the trace is not found. */
export function evaluateTrace(plan: Plan, trace: TraceSpans): SpanGroup[] {
  return new Evaluation(plan, trace).groups(plan.query);
}

/** 1 where the span is in the set. */
type SpanSet = Uint8Array;

class Evaluation {
  readonly #plan: Plan;
  readonly #trace: TraceSpans;

  constructor(plan: Plan, trace: TraceSpans) {
    this.#plan = plan;
    this.#trace = trace;
  }

  groups({ spanset, stages }: TraceQuery): SpanGroup[] {
    const spans = positionsOf(this.#spans(spanset));
    let groups: SpanGroup[] = spans.length === 0 ? [] : [{ by: [], spans }];
    for (const stage of stages) groups = this.#applyStage(stage, groups);
    return groups;
  }

  #spans(spanset: Spanset): SpanSet {
    switch (spanset.kind) {
      case "filter":
        return this.#filter(spanset.expression);
      case "piped":
        return this.#setOf(this.groups(spanset).flatMap(({ spans }) => spans));
      case "and":
      case "or": {
        const left = this.#spans(spanset.left);
        const right = this.#spans(spanset.right);
        const isFound = spanset.kind === "or" || (left.includes(1) && right.includes(1));
        return isFound ? left.map((is, at) => is | (right[at] ?? 0)) : this.#setOf([]);
      }
      case "related":
        return this.#related(spanset);
      default:
        return unreachable(spanset);
    }
  }

  #filter(expression: Expression | null): SpanSet {
    const set = new Uint8Array(this.#trace.count);
    if (expression === null) return set.fill(1);
    const filter = filterNumber(this.#plan.filters, expression);
    for (let at = 0; at < set.length; at += 1) set[at] = this.#trace.holds(filter, at) ? 1 : 0;
    return set;
  }

  #setOf(spans: readonly number[]): SpanSet {
    const set = new Uint8Array(this.#trace.count);
    for (const at of spans) set[at] = 1;
    return set;
  }

  #related({ sign, form, left: leftSide, right: rightSide }: Spanset & { kind: "related" }): SpanSet {
    const left = this.#spans(leftSide);
    const right = this.#spans(rightSide);
    const relation = RELATIONS[sign];
    const reached = this.#reach(left, relation);
    if (form === "negated") return right.map((is, at) => is & (1 - (reached[at] ?? 0)));
    const found = right.map((is, at) => is & (reached[at] ?? 0));
    if (form === "plain") return found;
    const reaching = this.#reach(right, INVERSE[relation]);
    return found.map((is, at) => is | ((left[at] ?? 0) & (reaching[at] ?? 0)));
  }

  /** The spans that are in this relation to some span of the set. */
  #reach(from: SpanSet, relation: Relation): SpanSet {
    switch (relation) {
      case "child":
        return this.#below(from, false);
      case "descendant":
        return this.#below(from, true);
      case "parent":
        return this.#above(from, false);
      case "ancestor":
        return this.#above(from, true);
      case "sibling":
        return this.#siblings(from);
      default:
        return unreachable(relation);
    }
  }

  /** Each span is walked up from once: what was seen before is known. */
  #below(from: SpanSet, isDeep: boolean): SpanSet {
    const { count, parent } = this.#trace;
    const reached = new Uint8Array(count);
    if (!isDeep) {
      for (let at = 0; at < count; at += 1) reached[at] = from[parent[at] ?? -1] ?? 0;
      return reached;
    }
    const isKnown = new Uint8Array(count);
    const path: number[] = [];
    for (let start = 0; start < count; start += 1) {
      path.length = 0;
      let at = start;
      while (at >= 0 && isKnown[at] === 0) {
        path.push(at);
        at = parent[at] ?? -1;
      }
      for (let span = path.pop(); span !== undefined; span = path.pop()) {
        const above = parent[span] ?? -1;
        reached[span] = (from[above] ?? 0) | (reached[above] ?? 0);
        isKnown[span] = 1;
      }
    }
    return reached;
  }

  #above(from: SpanSet, isDeep: boolean): SpanSet {
    const { count, parent } = this.#trace;
    const reached = new Uint8Array(count);
    for (let start = 0; start < count; start += 1) {
      if (from[start] === 0) continue;
      let at = parent[start] ?? -1;
      while (at >= 0 && reached[at] === 0) {
        reached[at] = 1;
        if (!isDeep) break;
        at = parent[at] ?? -1;
      }
    }
    return reached;
  }

  /** Not its own sibling: another one of its family has to be in the set. */
  #siblings(from: SpanSet): SpanSet {
    const { family } = this.#trace;
    const counts = new Map<number, number>();
    family.forEach((number, at) => {
      if (number >= 0 && from[at] === 1) counts.set(number, (counts.get(number) ?? 0) + 1);
    });
    return from.map((is, at) => ((counts.get(family[at] ?? -1) ?? 0) > is ? 1 : 0));
  }

  #applyStage(stage: Stage, groups: readonly SpanGroup[]): SpanGroup[] {
    switch (stage.kind) {
      case "filter": {
        const set = this.#filter(stage.expression);
        const kept = groups.map(({ by, spans }) => ({ by, spans: spans.filter((at) => set[at] === 1) }));
        return kept.filter(({ spans }) => spans.length > 0);
      }
      case "aggregate":
        return groups.filter(({ spans }) => this.#aggregateHolds(stage, spans));
      case "by":
        return groups.flatMap((group) =>
          this.#split(
            group,
            stage.fields.map((field) => fieldNumber(this.#plan.groupFields, field)),
          ),
        );
      case "coalesce": {
        const spans = groups.flatMap((group) => group.spans).toSorted((a, b) => a - b);
        return spans.length === 0 ? [] : [{ by: [], spans }];
      }
      case "select":
        return [...groups];
      default:
        return unreachable(stage);
    }
  }

  #split(group: SpanGroup, fields: readonly number[]): SpanGroup[] {
    const parts = new Map<string, { by: (string | null)[]; spans: number[] }>();
    for (const at of group.spans) {
      const values = fields.map((field) => this.#trace.text(field, at));
      const key = JSON.stringify(values);
      const part = parts.get(key);
      if (part === undefined) parts.set(key, { by: [...group.by, ...values], spans: [at] });
      else part.spans.push(at);
    }
    return [...parts.values()];
  }

  /** False where there is no span to aggregate. */
  #aggregateHolds({ left, comparison, right }: Stage & { kind: "aggregate" }, spans: readonly number[]): boolean {
    const numberOf = (leaf: ScalarLeaf): number => this.#scalar(leaf, spans);
    return compareNumbers(calculate(left, numberOf), comparison, calculate(right, numberOf));
  }

  #scalar(leaf: ScalarLeaf, spans: readonly number[]): number {
    if (leaf.kind === "literal") {
      const { literal } = leaf;
      const isNumber = literal.type === "int" || literal.type === "duration" || literal.type === "double";
      return isNumber ? Number(literal.value) : Number.NaN;
    }
    if (leaf.operand === null) return spans.length;
    const number = operandNumber(this.#plan.numbers, leaf.operand);
    const values = spans.map((at) => this.#trace.number(number, at)).filter((value) => !Number.isNaN(value));
    if (values.length === 0) return Number.NaN;
    let total = 0;
    let [least, most] = [Infinity, -Infinity];
    for (const value of values) {
      total += value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    const results = { count: values.length, sum: total, avg: total / values.length, min: least, max: most };
    return results[leaf.aggregate];
  }
}

const INVERSE: Readonly<Record<Relation, Relation>> = {
  child: "parent",
  parent: "child",
  descendant: "ancestor",
  ancestor: "descendant",
  sibling: "sibling",
};

function positionsOf(set: SpanSet): number[] {
  const positions: number[] = [];
  set.forEach((is, at) => {
    if (is === 1) positions.push(at);
  });
  return positions;
}
