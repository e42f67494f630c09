/** A whole answer in Native format. */
import type { QueryOptions, ScanFigures, SpanDatabase } from "../database.ts";
import { readNative, type NativeBlock } from "./read-native.ts";

export interface ReadBlocks {
  /** None of them empty. */
  readonly blocks: readonly NativeBlock[];
  readonly rowCount: number;
  /** Of what came, not of what was read for it. */
  readonly scan: ScanFigures;
}

/** `sql` is a SELECT without FORMAT clause, of column types that read-native.ts knows. */
export async function readBlocks(database: SpanDatabase, sql: string, options: QueryOptions): Promise<ReadBlocks> {
  const startedMs = performance.now();
  // Held whole here anyway: the engine need not stream it.
  const settings = { ...options.settings, wait_end_of_query: 1 };
  const chunks: Uint8Array[] = [];
  for await (const chunk of await database.stream(`${sql} FORMAT Native`, { ...options, settings })) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const blocks = [...readNative(bytes)].filter(({ rowCount }) => rowCount > 0);
  const rowCount = blocks.reduce((sum, block) => sum + block.rowCount, 0);
  return { blocks, rowCount, scan: { rows: rowCount, bytes: bytes.length, elapsedMs: performance.now() - startedMs } };
}
