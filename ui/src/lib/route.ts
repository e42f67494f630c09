/**
 * The pages and their addresses. One table reads a path into a route, and `pathOf` writes it back; everything else of a view's state
 * is in the query string.
 */
export type Route =
  | { readonly page: "services" }
  | { readonly page: "search" }
  | { readonly page: "map" }
  | { readonly page: "diff" }
  | { readonly page: "live" }
  | { readonly page: "open" }
  | { readonly page: "service"; readonly name: string }
  | { readonly page: "trace"; readonly traceId: string }
  | { readonly page: "notFound"; readonly path: string };

/** `encodeURIComponent` throws on a lone surrogate, and a service may be named anything. */
function encodeSegment(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function decodeSegment(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not valid percent-encoding, so no page has this address.
    return null;
  }
}

/** Also takes the addresses of Jaeger's UI that name the same pages: `/search`, `/trace/{id}`, `/dependencies`. */
export function parseRoute(path: string): Route {
  const segments = path.split("/").filter((segment) => segment !== "");
  const [first, second] = segments;
  if (first === undefined) return { page: "services" };
  if (segments.length === 1) {
    if (first === "search") return { page: "search" };
    if (first === "live") return { page: "live" };
    if (first === "open") return { page: "open" };
    if (first === "diff") return { page: "diff" };
    if (first === "map" || first === "dependencies") return { page: "map" };
  }
  if (segments.length === 2 && second !== undefined) {
    const text = decodeSegment(second);
    if (text !== null && first === "trace") return { page: "trace", traceId: normalTraceId(text) };
    if (text !== null && first === "service") return { page: "service", name: text };
  }
  return { page: "notFound", path };
}

/** Jaeger writes ids without leading zeros, and people paste them in capitals; what is no id stays as it is for the server to refuse. */
function normalTraceId(text: string): string {
  const lower = text.trim().toLowerCase();
  return /^[0-9a-f]{1,32}$/.test(lower) ? lower.padStart(32, "0") : text;
}

export function pathOf(route: Route): string {
  if (route.page === "services") return "/";
  if (route.page === "service") return `/service/${encodeSegment(route.name)}`;
  if (route.page === "trace") return `/trace/${encodeSegment(route.traceId)}`;
  if (route.page === "notFound") return route.path;
  return `/${route.page}`;
}

/** A change to the query string: a text sets the key, an array repeats it, null or "" removes it. */
export type ParamChanges = Readonly<Record<string, string | readonly string[] | null>>;

/** A copy with the changes made; keys that are not named keep their place and value. */
export function changeParams(params: URLSearchParams, changes: ParamChanges): URLSearchParams {
  const changed = new URLSearchParams(params);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") changed.delete(key);
    else if (typeof value === "string") changed.set(key, value);
    else {
      changed.delete(key);
      for (const item of value) changed.append(key, item);
    }
  }
  return changed;
}

/** `path?query`, without the `?` when there is nothing to say. Slashes, colons and commas stay readable. */
export function hrefOf(route: Route, params: URLSearchParams = new URLSearchParams()): string {
  const query = params.toString().replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%2C", ",");
  return query === "" ? pathOf(route) : `${pathOf(route)}?${query}`;
}
