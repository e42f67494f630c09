/**
 * The closed list of what can go wrong at a hop. Every failure is classified once, where it is understood, and mapped to HTTP and
 * gRPC statuses in one place (`collector/receive/status.ts`, `query-api/routes/problem.ts`).
 */
export type FailureCode =
  /** The caller's input is wrong; sending it again cannot help. */
  | "invalid"
  /** The named thing does not exist. */
  | "not_found"
  /** The input is larger than the limit in force. */
  | "too_large"
  /** We are at a limit of memory, disk or rate; the same request will succeed later. */
  | "overloaded"
  /** Something we depend on is away; the same request will succeed later. */
  | "unavailable"
  /** The answer did not come within its time. */
  | "timeout"
  /** A defect of ours. */
  | "internal";

/** An error whose cause has been classified. `message` names the cause and the mend and is safe to show to the caller. */
export class Failure extends Error {
  readonly code: FailureCode;
  /** For "overloaded" and "unavailable": when to try again. */
  readonly retryAfterMs: number | undefined;

  constructor(code: FailureCode, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Failure";
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export class InvalidError extends Failure {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("invalid", message, options);
    this.name = "InvalidError";
  }
}

/** The code of any thrown value; what was never classified is a defect of ours. */
export function failureCodeOf(error: unknown): FailureCode {
  return error instanceof Failure ? error.code : "internal";
}

/** The message of any thrown value, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
