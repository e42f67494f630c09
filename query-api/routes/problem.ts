/**
 * Faults as the caller sees them: RFC 9457 problem JSON. This is the one place of the query API where a classified failure becomes
 * an HTTP status.
 */
import type { Problem } from "@callchain/schemas/api/common.ts";
import { Failure, InvalidError, failureCodeOf, type FailureCode } from "@callchain/schemas/span/errors.ts";

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

export interface ParameterFault {
  readonly parameter: string;
  /** null: the parameter is missing. */
  readonly given: string | null;
  readonly accepted: string;
  /** Of a query that cannot be read: the first character that is wrong, counted from 0. */
  readonly position?: number;
}

/** One or more parameters were refused; every fault of the request is told at once. */
export class ParameterError extends InvalidError {
  readonly faults: readonly ParameterFault[];

  constructor(faults: readonly ParameterFault[]) {
    super(
      faults
        .map(({ parameter, given, accepted }) =>
          given === null
            ? `${parameter} is missing: give ${accepted}`
            : `${parameter}: given ${quoteShort(given)}, accepted is ${accepted}`,
        )
        .join("; "),
    );
    this.name = "ParameterError";
    this.faults = faults;
  }
}

/** Refuses one parameter. */
export function refuseParameter(parameter: string, given: string | null, accepted: string): ParameterError {
  return new ParameterError([{ parameter, given, accepted }]);
}

const GIVEN_CHARS_MAX = 200;

/** JSON quotes, cut to 200 characters: a fault quotes what was given without echoing megabytes. */
function quoteShort(text: string): string {
  return JSON.stringify(shorten(text));
}

function shorten(text: string): string {
  return text.length > GIVEN_CHARS_MAX ? `${text.slice(0, GIVEN_CHARS_MAX).toWellFormed()}…` : text;
}

const STATUS: Readonly<Record<FailureCode, readonly [status: number, title: string]>> = {
  invalid: [400, "Bad request"],
  not_found: [404, "Not found"],
  too_large: [413, "Too large"],
  overloaded: [429, "Too many requests"],
  unavailable: [503, "Temporarily unavailable"],
  timeout: [504, "The answer did not come in time"],
  internal: [500, "Internal error"],
};

export interface ProblemReply {
  readonly body: Problem;
  /** Whole seconds for Retry-After. */
  readonly retryAfterSeconds: number | undefined;
}

/** The problem of any thrown value. What was never classified shows no detail: its message may hold anything. */
export function buildProblem(error: unknown): ProblemReply {
  const http = httpErrorOf(error);
  if (http !== undefined) return { body: buildHttpProblem(http.status, http.message), retryAfterSeconds: undefined };
  const code = failureCodeOf(error);
  const [status, title] = STATUS[code];
  const detail =
    error instanceof Failure && code !== "internal" ? error.message : "This is a defect of ours; the server's log has it.";
  const body: Problem = {
    type: `urn:callchain:problem:${code}`,
    title,
    status,
    detail,
    ...(error instanceof ParameterError
      ? { errors: error.faults.map((fault) => ({ ...fault, given: fault.given === null ? null : shorten(fault.given) })) }
      : {}),
  };
  const retryAfterMs = error instanceof Failure ? (error.retryAfterMs ?? (status === 503 ? 1000 : undefined)) : undefined;
  return { body, retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1000)) };
}

const HTTP_TITLES: ReadonlyMap<number, string> = new Map([
  [400, "Bad request"],
  [403, "Forbidden"],
  [404, "Not found"],
  [405, "Method not allowed"],
  [406, "Not acceptable"],
  [421, "Misdirected request"],
]);

/** A problem that only HTTP knows: method, route, host. */
export function buildHttpProblem(status: number, detail: string): Problem {
  return { type: "about:blank", title: HTTP_TITLES.get(status) ?? "Bad request", status, detail };
}

/** Express refuses what it cannot route (a malformed `%` escape) with an error that carries a 4xx status. */
function httpErrorOf(error: unknown): { status: number; message: string } | undefined {
  if (error instanceof Failure || !(error instanceof Error) || !("status" in error)) return undefined;
  const { status } = error;
  return typeof status === "number" && status >= 400 && status < 500 ? { status, message: error.message } : undefined;
}
