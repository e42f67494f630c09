/**
 * The flame graph (icicle: callers above): a box per call path as wide as its share of the busy time, children below their caller, widest
 * first. What is zoomed to fills the width; its callers stay above it, as wide as all.
 */
import type { CallPaths } from "./call-paths.ts";

export interface FlameBox {
  readonly node: number;
  readonly depth: number;
  /** Shares of the width. */
  readonly from: number;
  readonly to: number;
  /** Above what is zoomed to. */
  readonly isCaller: boolean;
}

export interface FlameLayout {
  /** In pre-order. */
  readonly boxes: readonly FlameBox[];
  /** Call paths that are too narrow to be drawn. */
  readonly hiddenCount: number;
  readonly depthMax: number;
}

/** `zoom` is a node, or -1 for all; boxes narrower than `shareMin` are left out. Without any busy time siblings share the width. */
export function layoutFlame(paths: CallPaths, zoom: number, shareMin: number): FlameLayout {
  const { nodes } = paths;
  const boxes: FlameBox[] = [];
  let shownCount = 0;
  let depthMax = 0;
  const callers: number[] = [];
  for (let node = nodes[zoom]?.parent ?? -1; node >= 0; node = nodes[node]?.parent ?? -1) callers.push(node);
  for (const node of callers.toReversed()) boxes.push({ node, depth: nodes[node]?.depth ?? 0, from: 0, to: 1, isCaller: true });
  const open: { list: readonly number[]; from: number; to: number; busyNano: number }[] = [
    zoom >= 0
      ? { list: [zoom], from: 0, to: 1, busyNano: nodes[zoom]?.busyNano ?? 0 }
      : { list: paths.roots, from: 0, to: 1, busyNano: paths.busyNano },
  ];
  for (let level = open.pop(); level !== undefined; level = open.pop()) {
    const { list, to, busyNano } = level;
    let { from } = level;
    const weightOf = (node: number): number => (busyNano > 0 ? (nodes[node]?.busyNano ?? 0) / busyNano : 1 / list.length);
    const width = to - from;
    for (const node of list.toSorted((a, b) => (nodes[b]?.busyNano ?? 0) - (nodes[a]?.busyNano ?? 0))) {
      const end = from + width * weightOf(node);
      const found = nodes[node];
      if (found === undefined || end - from < shareMin) break;
      boxes.push({ node, depth: found.depth, from, to: end, isCaller: false });
      shownCount++;
      depthMax = Math.max(depthMax, found.depth);
      // Pushed last, taken first: pre-order is restored by the sort below.
      if (found.children.length > 0) open.push({ list: found.children, from, to: end, busyNano: found.busyNano });
      from = end;
    }
  }
  boxes.sort((a, b) => a.from - b.from || a.depth - b.depth || b.to - a.to);
  return { boxes, hiddenCount: countBelow(paths, zoom) - shownCount, depthMax };
}

/** Nodes at and below one; all with -1. */
function countBelow(paths: CallPaths, zoom: number): number {
  if (zoom < 0) return paths.nodes.length;
  let count = 0;
  const open = [zoom];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    count++;
    for (const child of paths.nodes[node]?.children ?? []) open.push(child);
  }
  return count;
}
