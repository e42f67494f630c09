/**
 * Addresses of Jaeger UI's search page (`/search?service=&operation=&tags=&lookback=&start=&end=&limit=`), so that bookmarks and links in
 * runbooks keep working. Names as in jaeger-ui's SearchForm: `tags` is a JSON object, `start` and `end` are microseconds.
 */
import type { ParamChanges } from "./route.ts";

const JAEGER_ONLY = ["operation", "tags", "lookback", "start", "end"] as const;

/** The changes that make Callchain's parameters of Jaeger's; null where the address is not one of Jaeger's. */
export function changesFromJaeger(params: URLSearchParams): ParamChanges | null {
  if (!JAEGER_ONLY.some((key) => params.has(key))) return null;
  const changes: Record<string, string | readonly string[] | null> = { limit: null };
  for (const key of JAEGER_ONLY) changes[key] = null;
  const operation = params.get("operation");
  if (operation !== null && operation !== "all" && !params.has("name")) changes["name"] = operation;
  const tags = attributesFromTags(params.get("tags"));
  if (tags.length > 0) changes["attribute"] = [...params.getAll("attribute"), ...tags];
  const lookback = params.get("lookback");
  const start = params.get("start");
  const end = params.get("end");
  if (!params.has("from")) {
    if (lookback !== null && /^\d+[smhdw]$/.test(lookback)) changes["from"] = `now-${lookback}`;
    else if (start !== null && /^\d{16}$/.test(start)) {
      changes["from"] = `${start}000`;
      if (end !== null && /^\d{16}$/.test(end)) changes["to"] = `${end}000`;
    }
  }
  return changes;
}

function attributesFromTags(text: string | null): string[] {
  if (text === null || text === "") return [];
  let tags: unknown;
  try {
    tags = JSON.parse(text);
  } catch {
    // Jaeger's own form refuses such text too.
    return [];
  }
  if (typeof tags !== "object" || tags === null || Array.isArray(tags)) return [];
  return Object.entries(tags).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? [`${key}=${value}`] : [],
  );
}
