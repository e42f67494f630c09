/** Who holds how much of a critical path: by service, and by span name. */
import type { SpanKind } from "@callchain/schemas/span/span.ts";
import type { TracePath } from "./path.ts";

interface PathSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
}

interface PathSum {
  pathNano: number;
  spanCount: number;
}

export interface PathSums {
  /** Most time first. */
  readonly services: readonly (Pick<PathSpan, "service"> & PathSum)[];
  readonly names: readonly (PathSpan & PathSum)[];
}

/** `describe` tells of the span at a position of the tree. */
export function sumPath(path: TracePath, describe: (at: number) => PathSpan): PathSums {
  const services = new Map<string, Pick<PathSpan, "service"> & PathSum>();
  const names = new Map<string, PathSpan & PathSum>();
  for (const [at, pathNano] of path.pathNano) {
    const span = describe(at);
    const key = JSON.stringify([span.service, span.name, span.kind]);
    addTo(services, span.service, { service: span.service }, pathNano);
    addTo(names, key, span, pathNano);
  }
  return { services: mostFirst(services), names: mostFirst(names) };
}

function addTo<T extends object>(sums: Map<string, T & PathSum>, key: string, fields: T, pathNano: number): void {
  const sum = sums.get(key) ?? { ...fields, pathNano: 0, spanCount: 0 };
  sum.pathNano += pathNano;
  sum.spanCount += 1;
  sums.set(key, sum);
}

function mostFirst<T extends PathSum>(sums: ReadonlyMap<string, T>): T[] {
  return [...sums.values()].toSorted((a, b) => b.pathNano - a.pathNano);
}
