/** A condition on spans as SQL for a question that reads the raw spans of a range. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { asksForAnyScope, compileQuery, type CompiledQuery } from "../search/compile.ts";
import type { Query } from "../search/query.ts";
import { IN_RANGE, type Asking, type TimeRange } from "./range.ts";
import { listResourceKeys } from "./resource-keys.ts";

export interface CompiledInRange extends CompiledQuery {
  readonly scans: readonly ScanFigures[];
}

/**
 * Where an attribute may be the span's or the resource's, which ones resources have is asked first: each that none has would cost a
 * look through all resources. `prefix` as for compileQuery.
 */
export async function compileInRange(query: Query, range: TimeRange, asking: Asking, prefix = "q"): Promise<CompiledInRange> {
  const options = { prefix, traceScope: IN_RANGE };
  if (!asksForAnyScope(query)) return { ...compileQuery(query, options), scans: [] };
  const { keys, scan } = await listResourceKeys(range, asking);
  return { ...compileQuery(query, { ...options, resourceKeys: keys }), scans: [scan] };
}
