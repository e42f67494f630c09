/**
 * Regular expressions that may be slow. The server looks at limits and at cancellations between two blocks alone, and RE2 reads 2 MB a second
 * where an expression has too many states to keep: a usual block of long texts would take minutes. So a statement that has one reads small
 * blocks; and it sees plain strings, since over a column with a dictionary the server would try the whole dictionary, up to 8192 texts, in
 * one go (70 s of names of 8 KB were measured, under a limit of 2 s). And it has one thread: with two it was stopped 4 s late instead of 0.5,
 * whatever the blocks.
 */

const SLOW_MATCH = "match(CAST(";
/** Rows of a block where a statement has one such expression; more of them share it. */
const BLOCK_ROWS = 32;
const BLOCK_ROWS_MIN = 4;

/** True where the text in `subject` (SQL) fits the expression in `pattern` (a bound parameter). `blockRowsFor` knows it in a statement. */
export function slowMatchSql(subject: string, pattern: string): string {
  return `${SLOW_MATCH}${subject}, 'String'), ${pattern})`;
}

/** Rows of a block for a statement; null: as many as usual. SQL text holds no values, so what it finds is a condition. */
export function blockRowsFor(sql: string): number | null {
  const count = sql.split(SLOW_MATCH).length - 1;
  return count === 0 ? null : Math.max(BLOCK_ROWS_MIN, Math.floor(BLOCK_ROWS / count));
}
