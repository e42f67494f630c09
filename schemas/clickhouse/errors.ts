/**
 * What ClickHouse and the way to it can answer, classified once. Codes: ClickHouse `src/Common/ErrorCodes.cpp`.
 */
import { ClickHouseError } from "@clickhouse/client";
import { Failure, messageOf, type FailureCode } from "../span/errors.ts";

/** The codes that callers tell apart. */
export const CLICKHOUSE_CODE = {
  queryWithSameIdIsRunning: 216,
  valueIsNonZero: 395,
  unknownTable: 60,
  unknownDatabase: 81,
  queryWasCancelled: 394,
} as const;

interface Classification {
  readonly code: FailureCode;
  readonly says: string;
  readonly retryAfterMs?: number;
}

const BY_CODE: ReadonlyMap<number, Classification> = new Map([
  [159, { code: "timeout", says: "the question took longer than its time limit; narrow the time range or the filter" }],
  [160, { code: "timeout", says: "the question was too slow and was stopped; narrow the time range or the filter" }],
  [394, { code: "timeout", says: "the question was cancelled" }],
  [158, { code: "too_large", says: "the question reads more rows than the limit; narrow the time range or the filter" }],
  [307, { code: "too_large", says: "the question reads more bytes than the limit; narrow the time range or the filter" }],
  [396, { code: "too_large", says: "the answer is larger than the limit; ask for less" }],
  [191, { code: "too_large", says: "the question builds a set larger than the limit; narrow the time range or the filter" }],
  [241, { code: "overloaded", says: "ClickHouse is at its memory limit", retryAfterMs: 2000 }],
  [202, { code: "overloaded", says: "ClickHouse is running as many statements as it may", retryAfterMs: 1000 }],
  [252, { code: "overloaded", says: "ClickHouse has more unmerged parts than it may; merges must catch up", retryAfterMs: 5000 }],
  [216, { code: "unavailable", says: "a statement with this query id is still running", retryAfterMs: 500 }],
  [242, { code: "unavailable", says: "the table is read-only at the moment", retryAfterMs: 5000 }],
  [243, { code: "unavailable", says: "ClickHouse's disk is full", retryAfterMs: 5000 }],
  [209, { code: "unavailable", says: "ClickHouse lost a connection", retryAfterMs: 1000 }],
  [210, { code: "unavailable", says: "ClickHouse lost a connection", retryAfterMs: 1000 }],
  [236, { code: "unavailable", says: "ClickHouse is shutting down", retryAfterMs: 1000 }],
  [60, { code: "unavailable", says: "the schema is not there: run callchain migrate", retryAfterMs: 5000 }],
  [81, { code: "unavailable", says: "the database is not there: run callchain migrate", retryAfterMs: 5000 }],
  [427, { code: "invalid", says: "the regular expression cannot be compiled (RE2 syntax)" }],
  [516, { code: "internal", says: "ClickHouse refused the credentials; check user and password of its URL" }],
  [497, { code: "internal", says: "the ClickHouse user lacks a grant it needs" }],
] satisfies [number, Classification][]);

/** The ClickHouse error code of anything thrown by a SpanDatabase, or null where ClickHouse itself did not answer with an error. */
export function clickHouseCodeOf(error: unknown): number | null {
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth += 1) {
    if (cause instanceof ClickHouseError) return Number(cause.code);
    cause = cause.cause;
  }
  return null;
}

/** Classifies what the client threw. `url` (without credentials) is named where ClickHouse cannot be reached. */
export function classifyDatabaseError(error: unknown, url: string): Failure {
  if (error instanceof Failure) return error;
  const code = clickHouseCodeOf(error);
  if (code !== null) {
    const known = BY_CODE.get(code);
    if (known === undefined) return new Failure("internal", `ClickHouse error ${code}: ${firstLineOf(error)}`, { cause: error });
    return new Failure(known.code, `${known.says} (ClickHouse error ${code})`, {
      cause: error,
      ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
    });
  }
  return new Failure("unavailable", `ClickHouse at ${url} does not answer: ${messageOf(error)}`, {
    cause: error,
    retryAfterMs: 1000,
  });
}

function firstLineOf(error: unknown): string {
  return (messageOf(error).split("\n")[0] ?? "").slice(0, 500);
}
