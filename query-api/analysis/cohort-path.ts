/** Shares of the critical path over many traces. */
import type { TracePath } from "./path.ts";

export interface PathGroup {
  readonly key: string;
  pathNano: number;
  spanCount: number;
  traceCount: number;
  /** Where it holds most time, most first. */
  readonly examples: { readonly traceId: string; readonly pathNano: number }[];
}

const EXAMPLE_COUNT_MAX = 3;

export class PathShares {
  totalNano = 0;
  readonly #groups = new Map<string, PathGroup>();

  /** `keyAt` names the group of the span at a position of the trace's tree. */
  add(traceId: string, path: TracePath, keyAt: (at: number) => string): void {
    this.totalNano += path.totalNano;
    const own = new Map<string, number>();
    for (const [at, pathNano] of path.pathNano) {
      const key = keyAt(at);
      const group = this.#group(key);
      group.pathNano += pathNano;
      group.spanCount += 1;
      own.set(key, (own.get(key) ?? 0) + pathNano);
    }
    for (const [key, pathNano] of own) {
      const group = this.#group(key);
      group.traceCount += 1;
      addExample(group.examples, { traceId, pathNano });
    }
  }

  /** Most time first. */
  list(): PathGroup[] {
    return [...this.#groups.values()].toSorted((a, b) => b.pathNano - a.pathNano || (a.key < b.key ? -1 : 1));
  }

  #group(key: string): PathGroup {
    const group = this.#groups.get(key) ?? { key, pathNano: 0, spanCount: 0, traceCount: 0, examples: [] };
    this.#groups.set(key, group);
    return group;
  }
}

/** Keeps the few largest, largest first. */
export function addExample(
  examples: { readonly traceId: string; readonly pathNano: number }[],
  example: { readonly traceId: string; readonly pathNano: number },
): void {
  if (examples.length === EXAMPLE_COUNT_MAX && (examples.at(-1)?.pathNano ?? 0) >= example.pathNano) return;
  examples.push(example);
  examples.sort((a, b) => b.pathNano - a.pathNano);
  examples.splice(EXAMPLE_COUNT_MAX);
}
