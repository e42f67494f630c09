/**
 * ClickHouse's errors as a client of its HTTP interface sees them: a numeric code, a name, a text that carries both, and an HTTP status.
 * Codes and names: ClickHouse src/Common/ErrorCodes.cpp; statuses: src/Server/HTTP/exceptionCodeToHTTPStatus.cpp.
 */
import { messageOf } from "@callchain/schemas/span/errors.ts";

/** The errors this server raises itself. */
export const ERROR = {
  BAD_ARGUMENTS: 36,
  NOT_IMPLEMENTED: 48,
  SYNTAX_ERROR: 62,
  CANNOT_PARSE_TEXT: 6,
  UNKNOWN_TYPE_OF_QUERY: 78,
  TIMEOUT_EXCEEDED: 159,
  QUERY_IS_TOO_LARGE: 161,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: 216,
  ABORTED: 236,
  NOT_ENOUGH_SPACE: 243,
  MEMORY_LIMIT_EXCEEDED: 241,
  QUERY_WAS_CANCELLED: 394,
  ACCESS_DENIED: 497,
  AUTHENTICATION_FAILED: 516,
  UNKNOWN_EXCEPTION: 1002,
} as const;

const NAME_OF: ReadonlyMap<number, string> = new Map(Object.entries(ERROR).map(([name, code]) => [code, name]));

export class EngineError extends Error {
  readonly code: number;
  /** As ClickHouse writes it: `Code: 60. DB::Exception: ... (UNKNOWN_TABLE)`, without version. */
  readonly text: string;

  constructor(code: number, message: string, text?: string) {
    super(message);
    this.name = "EngineError";
    this.code = code;
    this.text = text ?? `Code: ${code}. DB::Exception: ${message} (${NAME_OF.get(code) ?? "UNKNOWN_EXCEPTION"})`;
  }
}

/**
 * Reads the message of a failed native call. INSERT ... FROM INFILE wraps an exception in itself
 * (`Code: 27. DB::Exception: Code: 27. DB::Exception: ... (NAME) (version 26.7.2.1). (NAME)`): the inner one is what a client expects.
 */
export function engineErrorOf(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const message = messageOf(thrown).replace(/^Query failed: /, "");
  const wrapped = /^Code: (\d+)\. DB::Exception: (Code: \1\. DB::Exception: .*\))\s*\(version [^)]*\)\.? \([A-Z0-9_]+\)$/s.exec(
    message,
  );
  const text = wrapped?.[2] ?? message;
  const match = /^Code: (\d+)\. DB::Exception: (.*?)( \([A-Z][A-Z0-9_]*\))?$/s.exec(text.trimEnd());
  if (match === null) return new EngineError(ERROR.UNKNOWN_EXCEPTION, text);
  const [whole, code, explanation, name] = match;
  // A write that hit the end of the disk (errno 28) is reported under whatever call failed.
  if (/errno: 28\b|No space left on device/.test(text)) return new EngineError(ERROR.NOT_ENOUGH_SPACE, explanation ?? text);
  // Clients look for the name: without it they see no error of ClickHouse's.
  return new EngineError(Number(code), explanation ?? text, name === undefined ? undefined : whole);
}

const STATUS_GROUPS: readonly (readonly [status: number, codes: readonly number[]])[] = [
  [401, [194]],
  [403, [192, 193, 497, 511, 516]],
  [400, [6, 10, 15, 16, 25, 26, 27, 36, 38, 41, 44, 53, 62, 69, 70, 72, 116, 117, 167, 168, 223, 224, 427, 441, 675, 676]],
  [404, [35, 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 155]],
  [408, [159]],
  [413, [161]],
  [501, [48]],
  [503, [74, 76, 209, 439]],
];

const STATUS_OF: ReadonlyMap<number, number> = new Map(
  STATUS_GROUPS.flatMap(([status, codes]) => codes.map((code) => [code, status])),
);

/** The HTTP status ClickHouse answers an exception with; 500 for all that have none of their own. */
export function statusOf(code: number): number {
  return STATUS_OF.get(code) ?? 500;
}
