/** The query API as the command line asks it. */
import { Problem } from "@callchain/schemas/api/common.ts";
import { setting, type Setting } from "@callchain/schemas/runtime/config.ts";
import { Failure, messageOf, type FailureCode } from "@callchain/schemas/span/errors.ts";
import type { z } from "zod";

export const urlSetting: Setting<string> = {
  fallback: "http://127.0.0.1:16686",
  help: "where the query API is (http://127.0.0.1:16686)",
  accepted: "http://host:port or https://host:port",
  parse: (text) => {
    const url = URL.parse(text.trim());
    return url !== null && /^https?:$/.test(url.protocol) ? url.origin + url.pathname.replace(/\/+$/, "") : undefined;
  },
};

/** What narrows a question to some traces. */
export const searchSettings = {
  url: urlSetting,
  q: setting.text("", "TraceQL, or words and key=value (every trace)"),
  from: setting.text("now-1h", "start of the time range: RFC 3339, Unix nanoseconds or relative (now-1h)"),
  to: setting.text("now", "end of the time range (now)"),
};

/** "" is left out. */
export type AskParams = Readonly<Record<string, string | number>>;

export function apiUrl(url: string, path: string, params: AskParams = {}): URL {
  const asked = new URL(`${url}/api/v1${path}`);
  for (const [name, value] of Object.entries(params)) if (value !== "") asked.searchParams.set(name, String(value));
  return asked;
}

/** The response, once it is known to be good. Rejects with a Failure in the server's words, "unavailable" where none answers. */
export async function ask(url: URL, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw unreachable(url, error);
  }
  if (!response.ok) throw failureOf(response.status, await response.text());
  return response;
}

export async function askJson<T>(url: URL, schema: z.ZodType<T>): Promise<T> {
  const response = await ask(url, { headers: { accept: "application/json" } });
  const parsed = schema.safeParse(await response.json());
  if (parsed.success) return parsed.data;
  throw new Failure(
    "internal",
    `${url.origin} answered with what this release does not know: is it Callchain, and of the same release?`,
  );
}

export function unreachable(url: URL, error: unknown): Failure {
  const reason = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
  return new Failure("unavailable", `no answer from ${url.origin} (${reason}): is Callchain running there? --url names another`, {
    cause: error,
  });
}

const CODES: ReadonlyMap<number, FailureCode> = new Map([
  [404, "not_found"],
  [413, "too_large"],
  [429, "overloaded"],
  [503, "unavailable"],
  [504, "timeout"],
]);

/** Of a refusal: the problem's words, or the beginning of what was answered instead. */
export function failureOf(status: number, body: string): Failure {
  const code = CODES.get(status) ?? (status < 500 ? "invalid" : "unavailable");
  try {
    const problem = Problem.safeParse(JSON.parse(body));
    if (problem.success) return new Failure(code, problem.data.detail);
  } catch {
    // A proxy in between answers in HTML or plain text: its words are the message.
  }
  return new Failure(code, `status ${status}: ${body.slice(0, 300)}`);
}
