/** The order in which the diff page lists call paths: a tree whose siblings come by what changed most, or a flat list by the same. */
import type { DiffNode } from "@callchain/schemas/api/analysis.ts";

export const DIFF_BY = ["selfNano", "totalNano", "spanCount", "errorCount"] as const;
export type DiffBy = (typeof DIFF_BY)[number];

export interface DiffRow {
  /** Index into the answer's nodes. */
  readonly index: number;
  readonly node: DiffNode;
  /** Levels to indent; 0 throughout in a flat list. */
  readonly depth: number;
  /** Call paths below it that the tree would show. */
  readonly childCount: number;
}

/** How much of a figure changed per trace, whichever way. */
export function changeOf(node: DiffNode, by: DiffBy): number {
  return Math.abs(node.perTrace[by]);
}

/** Largest change first; ties keep the order of the answer. `changedOnly` leaves out what is the same. */
export function listChanges(nodes: readonly DiffNode[], by: DiffBy, changedOnly: boolean): DiffRow[] {
  return nodes
    .map((node, index) => ({ index, node, depth: 0, childCount: 0 }))
    .filter(({ node }) => !changedOnly || node.change !== "same")
    .sort((a, b) => changeOf(b.node, by) - changeOf(a.node, by) || a.index - b.index);
}

/**
 * Parents before their children, siblings by the largest change at or below them. `changedOnly` keeps what changed and its callers;
 * children of `folded` paths are left out.
 */
export function buildChangeTree(
  nodes: readonly DiffNode[],
  by: DiffBy,
  changedOnly: boolean,
  folded: ReadonlySet<number>,
): DiffRow[] {
  const largest = nodes.map((node) => changeOf(node, by));
  const isShown = nodes.map((node) => !changedOnly || node.change !== "same");
  const children = nodes.map((): number[] => []);
  const tops: number[] = [];
  // Pre-order: going back, every node is done before its parent.
  for (let index = nodes.length - 1; index >= 0; index--) {
    const parent = nodes[index]?.parentIndex ?? -1;
    if (isShown[index] !== true) continue;
    (children[parent] ?? tops).unshift(index);
    if (parent < 0) continue;
    isShown[parent] = true;
    largest[parent] = Math.max(largest[parent] ?? 0, largest[index] ?? 0);
  }
  const byChange = (list: readonly number[]): number[] => list.toSorted((a, b) => (largest[b] ?? 0) - (largest[a] ?? 0) || a - b);
  const rows: DiffRow[] = [];
  const open = byChange(tops).reverse();
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const node = nodes[index];
    const below = children[index] ?? [];
    if (node === undefined) continue;
    rows.push({ index, node, depth: node.depth, childCount: below.length });
    if (!folded.has(index)) open.push(...byChange(below).reverse());
  }
  return rows;
}
