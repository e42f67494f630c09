/**
 * Places in the log as conditions that the index on log positions can use: ranges, since "not among these" tells such an index nothing. The
 * numbers of partitions are far apart in a store that is filled through Kafka. Pure.
 */

/** Of each log partition the offset after the last one. */
export type LogEnds = ReadonlyMap<number, bigint>;

/** log_partition < 3 OR (log_partition = 3 AND log_offset >= 42) OR (log_partition > 3 AND log_partition < 9) OR ... OR log_partition > 9 */
export function positionsFrom(ends: LogEnds): string {
  const conditions: string[] = [];
  let after = "";
  for (const [partition, end] of [...ends].toSorted(([a], [b]) => a - b)) {
    conditions.push(`(${after}log_partition < ${partition})`, `(log_partition = ${partition} AND log_offset >= ${end})`);
    after = `log_partition > ${partition} AND `;
  }
  conditions.push(`(${after}1)`);
  return `(${conditions.join(" OR ")})`;
}

/** From where `from` ends to where `to` ends; partitions that `to` does not name are left out. */
export function positionsBetween(from: LogEnds, to: LogEnds): string {
  const conditions = [...to].map(
    ([partition, end]) => `(log_partition = ${partition} AND log_offset >= ${from.get(partition) ?? 0n} AND log_offset < ${end})`,
  );
  return conditions.length === 0 ? "0" : `(${conditions.join(" OR ")})`;
}

const NOWHERE: LogEnds = new Map();

export function positionsBefore(ends: LogEnds): string {
  return positionsBetween(NOWHERE, ends);
}
