/**
 * Keeps pages in a browser away from the engine: a page can send requests to loopback (with an Origin), and a name that an attacker
 * points at 127.0.0.1 makes it same-origin (then the Host is that name). SQL tools and drivers send neither.
 */
import type { IncomingHttpHeaders } from "node:http";
import { EngineError, ERROR } from "../engine/errors.ts";

const LOCAL_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;

/** Throws EngineError ACCESS_DENIED. */
export function refuseForeign(headers: IncomingHttpHeaders): void {
  if (headers.origin !== undefined)
    throw new EngineError(ERROR.ACCESS_DENIED, "Requests from web pages (with an Origin header) are refused.");
  if (headers.host === undefined || !LOCAL_HOST.test(headers.host)) {
    const given = JSON.stringify(headers.host ?? "");
    throw new EngineError(
      ERROR.ACCESS_DENIED,
      `Host ${given} is refused: the engine is reached as localhost, 127.0.0.1 or [::1] only.`,
    );
  }
}
