/** A cohort's spans trace by trace. */
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { SpanColumns } from "../analysis/columns.ts";
import { buildCallTree, type CallTree } from "../analysis/tree.ts";

/** One trace of a cohort. */
export interface CohortTrace {
  readonly traceId: string;
  readonly columns: SpanColumns;
  readonly tree: CallTree;
  /** Its first row in the cohort's columns. */
  readonly from: number;
}

export function isSameTrace(traceIds: Uint8Array, a: number, b: number): boolean {
  for (let byte = 0; byte < 16; byte += 1) if (traceIds[16 * a + byte] !== traceIds[16 * b + byte]) return false;
  return true;
}

/** Traces between which other requests get their turn. */
const TURN_TRACE_COUNT = 200;

export interface CohortSpans {
  readonly columns: SpanColumns;
  /** 16 bytes a span; the spans of a trace stand together. */
  readonly traceIds: Uint8Array;
}

/** The call tree of each trace of the cohort. */
export async function* listTraces({ columns, traceIds }: CohortSpans, signal: AbortSignal): AsyncGenerator<CohortTrace> {
  let treeCount = 0;
  for (let from = 0; from < columns.count;) {
    let to = from + 1;
    while (to < columns.count && isSameTrace(traceIds, from, to)) to += 1;
    const own = sliceColumns(columns, from, to);
    const traceId = Buffer.from(traceIds.subarray(16 * from, 16 * from + 16)).toString("hex");
    yield { traceId, columns: own, tree: buildCallTree(own), from };
    from = to;
    treeCount += 1;
    if (treeCount % TURN_TRACE_COUNT !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    if (!signal.aborted) continue;
    throw signal.reason instanceof Failure
      ? signal.reason
      : new Failure("timeout", "the question was given up", { cause: signal.reason });
  }
}

function sliceColumns(columns: SpanColumns, from: number, to: number): SpanColumns {
  return {
    count: to - from,
    spanId: columns.spanId.subarray(8 * from, 8 * to),
    parentId: columns.parentId.subarray(8 * from, 8 * to),
    startNano: columns.startNano.subarray(from, to),
    durationNano: columns.durationNano.subarray(from, to),
    service: columns.service.subarray(from, to),
    name: columns.name.subarray(from, to),
    host: columns.host.subarray(from, to),
    kind: columns.kind.subarray(from, to),
    status: columns.status.subarray(from, to),
    has: columns.has.subarray(from, to),
    services: columns.services,
    names: columns.names,
    hosts: columns.hosts,
  };
}
