/**
 * What keeps other sites away from a server on localhost: the Host header must be one of ours (DNS rebinding), an Origin must be our own
 * (CSRF), and the page may run only its own scripts. No CORS.
 */
import { isIP } from "node:net";
import type { RequestHandler } from "express";
import { PROBLEM_MEDIA_TYPE, buildHttpProblem } from "./routes/problem.ts";

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const setSecurityHeaders: RequestHandler = (_request, response, next) => {
  response.set({
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
  });
  next();
};

/** A name that an attacker's DNS cannot point at us: an address, or a name that resolves to loopback by definition. */
function isSafeHost(host: string, allowedHosts: readonly string[]): boolean {
  const name = host.replace(/^\[|\]$/g, "");
  return isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost") || allowedHosts.includes(name);
}

/** `name:port`, `[::1]:port` or a name alone -> the name, lower case; undefined where it is none. */
function hostNameOf(header: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[^\s:/@?#]+)(?::\d+)?$/.exec(header.toLowerCase())?.[1];
}

/** Refuses with 421 a foreign Host, with 403 a foreign Origin. Probes and scrapes without Origin pass. */
export function guardHost(allowedHosts: readonly string[]): RequestHandler {
  const allowed = allowedHosts.map((host) => host.toLowerCase());
  return (request, response, next) => {
    const header = request.headers.host ?? "";
    const name = hostNameOf(header);
    const refuse = (status: number, detail: string): void => {
      response
        .status(status)
        .type(PROBLEM_MEDIA_TYPE)
        .send(JSON.stringify(buildHttpProblem(status, detail)));
    };
    if (name === undefined || !isSafeHost(name, allowed)) {
      refuse(
        421,
        "the Host header names a host that this server does not answer for; use an address, localhost, or allow the name in its settings",
      );
      return;
    }
    const { origin } = request.headers;
    if (origin !== undefined && !isSameOrigin(origin, header)) {
      refuse(403, "requests from pages of other origins are not answered");
      return;
    }
    next();
  };
}

function isSameOrigin(origin: string, host: string): boolean {
  return origin.toLowerCase() === `http://${host.toLowerCase()}` || origin.toLowerCase() === `https://${host.toLowerCase()}`;
}
