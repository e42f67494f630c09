/** The critical path of the page's trace: the same walk as the server's, and who holds how much of it. */
import type { PathSegment } from "@callchain/schemas/span/critical-path.ts";
import type { TraceModel } from "./model.ts";

export { buildCriticalPath, mainRootOf, sumByRow, type PathSegment } from "@callchain/schemas/span/critical-path.ts";

export interface PathShare {
  /** Index into the model's services. */
  readonly service: number;
  readonly pathNano: number;
  /** Of the whole path. */
  readonly share: number;
}

/** Who holds how much of the path, most first. */
export function sharePathByService(model: TraceModel, segments: readonly PathSegment[]): PathShare[] {
  const sums = new Map<number, number>();
  let total = 0;
  for (const { row, startNano, endNano } of segments) {
    const service = model.service[row] ?? 0;
    sums.set(service, (sums.get(service) ?? 0) + endNano - startNano);
    total += endNano - startNano;
  }
  return [...sums]
    .map(([service, pathNano]) => ({ service, pathNano, share: total === 0 ? 0 : pathNano / total }))
    .sort((a, b) => b.pathNano - a.pathNano);
}
