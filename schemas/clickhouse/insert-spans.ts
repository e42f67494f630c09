/**
 * Storing spans effectively once (reliability): every row carries the log record it came from, and an insert holds only if the rows
 * stored so far end where its writer believes they end.
 *
 *   log offsets   0 .. 41 | 42 .. 57 | 58 ..
 *   stored rows   0 .. 41                        next offset 42
 *   this insert            42 .. 57              asserts "next offset is 42" inside itself; afterwards it is 58
 *
 * A writer that was thought dead and comes back finds another next offset (error 395) and stores nothing. Equality is essential: with
 * "at least" a stray writer that runs ahead would leave a gap. Two inserts of one partition cannot overlap either: they run under one
 * query id, and the second is refused (error 216).
 */
import type { DeadLetter } from "../span/ports.ts";
import type { SpanDatabase } from "./database.ts";
import { SPAN_COLUMNS } from "./spans-table.ts";

const COLUMN_NAMES = SPAN_COLUMNS.map(([name]) => name).join(", ");
const STRUCTURE = SPAN_COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ");

/** Not max(log_offset + 1): the engine rewrites that to max(log_offset) + 1, which says 1 where there are no rows. */
const NEXT_OFFSET = "SELECT if(count() = 0, 0, max(log_offset) + 1) FROM spans WHERE log_partition = {partition:UInt32}";

const INSERT_SPANS = `INSERT INTO spans (${COLUMN_NAMES}) SELECT ${COLUMN_NAMES} FROM input('${STRUCTURE}')
  WHERE throwIf((${NEXT_OFFSET}) != {expected:UInt64}, 'the rows of this log partition do not end where the writer believes') = 0
  FORMAT Native`;

/** One block in, one part out: nothing splits, joins or defers it. */
export const ONE_PART = {
  async_insert: 0,
  max_threads: 1,
  max_insert_threads: 1,
  max_block_size: 4_000_000,
  max_insert_block_size: 4_000_000,
  min_insert_block_size_rows: 4_000_000,
  min_insert_block_size_bytes: 4_000_000_000,
  max_partitions_per_insert_block: 1,
  optimize_use_projections: 1,
} as const;

export interface SpanInsert {
  readonly partition: number;
  /** The next offset that the rows must stand at for the insert to happen. */
  readonly expectedNext: bigint;
  /** A Native block of SPAN_COLUMNS, at least one row, all of one partition and ingest day. */
  readonly body: readonly Uint8Array[];
  /** The same for every writer of this partition, whichever process it is. */
  readonly queryId: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** The offset after the last one stored of this partition; 0 where nothing is. */
export async function readNextOffset(database: SpanDatabase, partition: number): Promise<bigint> {
  const { rows } = await database.query<{ next: string }>(`SELECT (${NEXT_OFFSET}) AS next`, {
    params: { partition },
    settings: { select_sequential_consistency: 1 },
  });
  return BigInt(rows[0]?.next ?? "0");
}

/**
 * Stores the block as one part, synced to disk. On rejection the rows may be stored or not: `readNextOffset` tells. Error 395 says
 * that the rows did not end at `expectedNext`, 216 that an insert of this partition is still running.
 */
export async function insertSpans(database: SpanDatabase, insert: SpanInsert): Promise<void> {
  await database.insert(INSERT_SPANS, insert.body, {
    params: { partition: insert.partition, expected: insert.expectedNext.toString() },
    settings: ONE_PART,
    queryId: insert.queryId,
    timeoutMs: insert.timeoutMs,
    ...(insert.signal === undefined ? {} : { signal: insert.signal }),
  });
}

/** Keeps a record that cannot be decoded; keeping it twice leaves one. */
export async function insertDeadLetter(database: SpanDatabase, letter: DeadLetter): Promise<void> {
  const row = JSON.stringify({
    log_partition: letter.partition,
    log_offset: letter.offset.toString(),
    reason: letter.reason,
    record: Buffer.from(letter.record).toString("base64"),
  });
  await database.insert(
    `INSERT INTO dead_letters (log_partition, log_offset, reason, record) SELECT log_partition, log_offset, reason, base64Decode(record)
     FROM input('log_partition UInt32, log_offset UInt64, reason String, record String') FORMAT JSONEachRow`,
    [new TextEncoder().encode(row)],
    { settings: { async_insert: 0 } },
  );
}
