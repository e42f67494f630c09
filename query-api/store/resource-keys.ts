/** Which attributes any resource has. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { IN_RANGE, rangeParams, type Asking, type TimeRange } from "./range.ts";

const TIMEOUT_MS = 8_000;

/** Keys of all resources with spans in the range: a dictionary scan, cheaper than a condition that no index can answer. */
export async function listResourceKeys(
  range: TimeRange,
  { database, signal }: Asking,
): Promise<{ keys: ReadonlySet<string>; scan: ScanFigures }> {
  const { rows, scan } = await database.query<{ key: string }>(
    `SELECT DISTINCT arrayJoin(JSONExtractKeys(resource)) AS key
     FROM (SELECT DISTINCT resource FROM spans WHERE ${IN_RANGE} LIMIT 1000000000)`,
    { params: rangeParams(range), signal, timeoutMs: TIMEOUT_MS },
  );
  return { keys: new Set(rows.map(({ key }) => key)), scan };
}
