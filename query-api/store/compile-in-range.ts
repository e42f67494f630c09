/** A condition on spans as SQL for a question that reads the raw spans of a range. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { compileQuery, type CompiledQuery } from "../search/compile.ts";
import type { Query } from "../search/query.ts";
import { IN_RANGE, type Asking, type TimeRange } from "./range.ts";
import { findResources } from "./resources.ts";

export interface CompiledInRange extends CompiledQuery {
  readonly scans: readonly ScanFigures[];
}

/** Which resources there are is asked first, where the query needs to know. `prefix` as for compileQuery. */
export async function compileInRange(query: Query, range: TimeRange, asking: Asking, prefix = "q"): Promise<CompiledInRange> {
  const { resources, scans } = await findResources([query], range, asking);
  return { ...compileQuery(query, { prefix, traceScope: IN_RANGE, resources }), scans };
}
