/**
 * Traces merged by call path: every span stands under the path of (service, name, kind) that leads to it from the top level. Two sides
 * are added to one tree, so that what one of them lacks is seen beside what the other has.
 *
 *   a: page            b: page              merged: page                  1 | 1 spans
 *      |- query            |- query                 |- query              2 | 1
 *      |- query            |- cache                 |- cache              - | 1
 */
import type { DiffFigures, DiffNode } from "@callchain/schemas/api/analysis.ts";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import { STATUS_ERROR, type SpanColumns } from "./columns.ts";
import { computeSelfTime } from "./self-time.ts";
import type { CallTree } from "./tree.ts";

export type Side = "a" | "b";

/** Paths kept; spans of further ones are counted and left out. A chain that calls itself has a path for every span. */
const PATH_COUNT_MAX = 50_000;

/** From which difference on a path has changed: of its calls, and of its time (and of that of a whole trace). */
const COUNT_CHANGE_MIN = 0.05;
const TIME_CHANGE_MIN = 0.1;
const TRACE_TIME_CHANGE_MIN = 0.01;

type Figures = { -readonly [K in keyof DiffFigures]: DiffFigures[K] };

interface PathNode {
  readonly parent: number;
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly children: number[];
  readonly figures: { a: Figures | null; b: Figures | null };
  /** The trace that last added to it, so that each counts once. */
  lastTrace: number;
}

export interface DiffTotals {
  traceCount: number;
  errorCount: number;
  /** Of all traces together. */
  durationNano: number;
}

export class CallPaths {
  readonly totals: Readonly<Record<Side, DiffTotals>> = {
    a: { traceCount: 0, errorCount: 0, durationNano: 0 },
    b: { traceCount: 0, errorCount: 0, durationNano: 0 },
  };
  leftOutSpanCount = 0;
  readonly #nodes: PathNode[] = [];
  readonly #tops: number[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #texts = new Map<string, number>();
  #traceNumber = 0;

  /** Adds one trace to a side. */
  add(side: Side, columns: SpanColumns, tree: CallTree): void {
    this.#traceNumber += 1;
    const totals = this.totals[side];
    totals.traceCount += 1;
    totals.errorCount += tree.errorCount;
    totals.durationNano += tree.durationNano;
    const selfNano = computeSelfTime(tree);
    const nodeOf = new Int32Array(tree.count).fill(-1);
    for (let at = 0; at < tree.count; at += 1) {
      const above = tree.parent[at] ?? -1;
      const parent = above < 0 ? -1 : (nodeOf[above] ?? -1);
      // Below a path that was left out everything is.
      const number = above >= 0 && parent < 0 ? -1 : this.#nodeFor(parent, columns, tree.rows[at] ?? 0);
      nodeOf[at] = number;
      const node = this.#nodes[number];
      if (node === undefined) this.leftOutSpanCount += 1;
      else this.#count(node, side, columns, tree.rows[at] ?? 0, selfNano[at] ?? 0);
    }
  }

  /** Every path in pre-order, by first appearance among siblings; at most `countMax`, those with most time and their ancestors. */
  list(countMax: number): { nodes: DiffNode[]; pathCount: number; changedCount: number } {
    const kept = this.#choose(countMax);
    const nodes: DiffNode[] = [];
    const indexOf = new Map<number, number>([[-1, -1]]);
    const stack = this.#tops.toReversed();
    for (let number = stack.pop(); number !== undefined; number = stack.pop()) {
      const node = this.#nodes[number];
      if (node === undefined || !kept.has(number)) continue;
      indexOf.set(number, nodes.length);
      const parentIndex = indexOf.get(node.parent) ?? -1;
      nodes.push(this.#describe(node, parentIndex, (nodes[parentIndex]?.depth ?? -1) + 1));
      stack.push(...node.children.toReversed());
    }
    const changedCount = this.#nodes.filter((node) => this.#changeOf(node) !== "same").length;
    return { nodes, pathCount: this.#nodes.length, changedCount };
  }

  #nodeFor(parent: number, columns: SpanColumns, row: number): number {
    const service = columns.services[columns.service[row] ?? 0] ?? "";
    const name = columns.names[columns.name[row] ?? 0] ?? "";
    const kind = columns.kind[row] ?? 0;
    const key = `${parent} ${this.#textNumber(service)} ${this.#textNumber(name)} ${kind}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#nodes.length;
    if (number >= PATH_COUNT_MAX) return -1;
    this.#numbers.set(key, number);
    this.#nodes.push({ parent, service, name, kind, children: [], figures: { a: null, b: null }, lastTrace: 0 });
    (this.#nodes[parent]?.children ?? this.#tops).push(number);
    return number;
  }

  #textNumber(text: string): number {
    const number = this.#texts.get(text) ?? this.#texts.size;
    this.#texts.set(text, number);
    return number;
  }

  #count(node: PathNode, side: Side, columns: SpanColumns, row: number, selfNano: number): void {
    const figures = (node.figures[side] ??= { spanCount: 0, errorCount: 0, totalNano: 0, selfNano: 0, traceCount: 0 });
    figures.spanCount += 1;
    figures.errorCount += columns.status[row] === STATUS_ERROR ? 1 : 0;
    figures.totalNano += columns.durationNano[row] ?? 0;
    figures.selfNano += selfNano;
    figures.traceCount += node.lastTrace === this.#traceNumber ? 0 : 1;
    node.lastTrace = this.#traceNumber;
  }

  #perTrace(node: PathNode, side: Side, figure: keyof DiffFigures): number {
    return (node.figures[side]?.[figure] ?? 0) / Math.max(1, this.totals[side].traceCount);
  }

  #delta(node: PathNode, figure: keyof DiffFigures): number {
    return this.#perTrace(node, "b", figure) - this.#perTrace(node, "a", figure);
  }

  #changeOf(node: PathNode): DiffNode["change"] {
    if (node.figures.a === null) return "onlyB";
    if (node.figures.b === null) return "onlyA";
    const larger = (figure: keyof DiffFigures): number =>
      Math.max(this.#perTrace(node, "a", figure), this.#perTrace(node, "b", figure));
    const countsDiffer = (["spanCount", "errorCount"] as const).some(
      (figure) => Math.abs(this.#delta(node, figure)) > COUNT_CHANGE_MIN * larger(figure),
    );
    const { a, b } = this.totals;
    const traceNano = Math.max(a.durationNano / Math.max(1, a.traceCount), b.durationNano / Math.max(1, b.traceCount));
    const apartNano = Math.abs(this.#delta(node, "totalNano"));
    const timesDiffer = apartNano > TIME_CHANGE_MIN * larger("totalNano") && apartNano > TRACE_TIME_CHANGE_MIN * traceNano;
    return countsDiffer || timesDiffer ? "changed" : "same";
  }

  #describe(node: PathNode, parentIndex: number, depth: number): DiffNode {
    return {
      parentIndex,
      depth,
      service: node.service,
      name: node.name,
      kind: SPAN_KINDS[node.kind] ?? "unspecified",
      change: this.#changeOf(node),
      a: node.figures.a,
      b: node.figures.b,
      perTrace: {
        spanCount: this.#delta(node, "spanCount"),
        errorCount: this.#delta(node, "errorCount"),
        totalNano: this.#delta(node, "totalNano"),
        selfNano: this.#delta(node, "selfNano"),
      },
    };
  }

  #choose(countMax: number): ReadonlySet<number> {
    const weight = this.#nodes.map((node) =>
      Math.max(this.#perTrace(node, "a", "totalNano"), this.#perTrace(node, "b", "totalNano")),
    );
    const heaviest = weight.map((_, number) => number).toSorted((x, y) => (weight[y] ?? 0) - (weight[x] ?? 0) || x - y);
    const kept = new Set<number>();
    for (const number of heaviest) {
      const path: number[] = [];
      for (let up = number; up >= 0 && !kept.has(up); up = this.#nodes[up]?.parent ?? -1) path.push(up);
      if (kept.size + path.length > countMax) continue;
      for (const up of path) kept.add(up);
    }
    return kept;
  }
}
