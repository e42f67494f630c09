/** Which browser pages may send spans: none, unless the operator lists their origins. */
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";

const MAX_AGE_SECONDS = "7200";

/** Null where the request's origin is not in the list. `*` in the list stands for every origin. */
export function corsHeaders(request: IncomingMessage, origins: readonly string[]): OutgoingHttpHeaders | null {
  const { origin } = request.headers;
  if (origin === undefined || !(origins.includes("*") || origins.includes(origin))) return null;
  return { "access-control-allow-origin": origin, "access-control-expose-headers": "retry-after", vary: "origin" };
}

/** The answer to a preflight request of an allowed origin (Fetch standard, CORS-preflight). */
export function preflightHeaders(request: IncomingMessage, allowed: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return {
    ...allowed,
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": request.headers["access-control-request-headers"] ?? "content-type, content-encoding",
    "access-control-max-age": MAX_AGE_SECONDS,
    vary: "origin, access-control-request-headers",
  };
}
