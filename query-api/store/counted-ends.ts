/**
 * What the rollups count and the raw spans behind that, asked at the same time. The ends of what is counted are read by themselves, and the spans
 * are asked for behind these; the counts bring the ends again, of the moment in which they were read. Where a step was taken in between the spans
 * are asked for once more.
 */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { joinFixed } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import type { ReadBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import type { Asking } from "./range.ts";

type CountTable = "service_rollups" | "edge_rollups" | "resource_counts";

interface FoundEnds {
  readonly ends: LogEnds;
  readonly scan: ScanFigures;
}

/** Several statements of one question begin with the same ends. */
const known = new WeakMap<Asking, Map<CountTable, Promise<FoundEnds>>>();

/** How far a table is counted now, or was a moment ago in the same question. */
export function findEnds(table: CountTable, asking: Asking): Promise<FoundEnds> {
  const ofAsking = known.get(asking) ?? new Map<CountTable, Promise<FoundEnds>>();
  known.set(asking, ofAsking);
  const found = ofAsking.get(table) ?? readEnds(table, asking);
  ofAsking.set(table, found);
  return found;
}

async function readEnds(table: CountTable, { database, signal }: Asking): Promise<FoundEnds> {
  const { rows, scan } = await database.query<{ partition: number; next: string }>(
    `SELECT log_partition AS partition, max(log_next) AS next FROM ${table} WHERE tier = 0 GROUP BY partition`,
    { signal },
  );
  return { ends: new Map(rows.map(({ partition, next }) => [partition, BigInt(next)])), scan };
}

/** Of columns isMark, logPartition and next: which rows say how far a log partition is counted, and what they say. */
export function joinEnds({ blocks, rowCount }: ReadBlocks): { readonly isMark: Uint8Array; readonly ends: LogEnds } {
  const isMark = new Uint8Array(joinFixed(blocks, "isMark", 1, rowCount));
  const partitions = new Uint32Array(joinFixed(blocks, "logPartition", 4, rowCount));
  const nexts = new BigUint64Array(joinFixed(blocks, "next", 8, rowCount));
  const ends = new Map<number, bigint>();
  for (let row = 0; row < rowCount; row += 1) {
    const [partition = 0, next = 0n] = [partitions[row], nexts[row]];
    if (isMark[row] === 1 && next > (ends.get(partition) ?? -1n)) ends.set(partition, next);
  }
  return { isMark, ends };
}

function areEqual(a: LogEnds, b: LogEnds): boolean {
  return a.size === b.size && [...a].every(([partition, end]) => b.get(partition) === end);
}

/** `readRest` is given what is counted, and is aborted where that turns out to be more. */
export async function readWithRest<C extends { readonly ends: LogEnds }, R>(
  table: CountTable,
  asking: Asking,
  readCounts: () => Promise<C>,
  readRest: (ends: LogEnds, asking: Asking) => Promise<R>,
): Promise<{ readonly counts: C; readonly rest: R; readonly scan: ScanFigures }> {
  const outdated = new AbortController();
  const counting = readCounts();
  // Should one fail, nobody waits for the other any more.
  counting.catch(() => undefined);
  try {
    const { ends, scan } = await findEnds(table, asking);
    const first = readRest(ends, { ...asking, signal: AbortSignal.any([asking.signal, outdated.signal]) });
    first.catch(() => undefined);
    const counts = await counting;
    if (areEqual(counts.ends, ends)) return { counts, rest: await first, scan };
    outdated.abort();
    return { counts, rest: await readRest(counts.ends, asking), scan };
  } finally {
    outdated.abort();
  }
}
