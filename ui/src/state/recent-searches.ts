/** The last searches of this browser, newest first, for the command palette. */
import { loadPreference, savePreference } from "./preferences.ts";

export interface RecentSearch {
  /** The query as it was understood. */
  readonly label: string;
  /** The query string of the search page, without time range and choices. */
  readonly query: string;
}

const KEY = "recent-searches";
const KEPT_MAX = 12;
/** What makes a search; the rest of the URL is about how it is looked at. */
const PARTS = ["q", "service", "name", "attribute", "minDuration", "maxDuration", "status", "sort", "view", "group"];

export function recentSearches(): RecentSearch[] {
  const kept = loadPreference(KEY);
  if (kept === null) return [];
  try {
    const entries: unknown = JSON.parse(kept);
    return Array.isArray(entries) ? entries.filter(isRecentSearch) : [];
  } catch {
    // Cut off or edited by hand.
    return [];
  }
}

export function rememberSearch(label: string, params: URLSearchParams): void {
  const query = new URLSearchParams([...params].filter(([key]) => PARTS.includes(key))).toString();
  const others = recentSearches().filter((search) => search.query !== query);
  savePreference(KEY, JSON.stringify([{ label, query }, ...others].slice(0, KEPT_MAX)));
}

function isRecentSearch(entry: unknown): entry is RecentSearch {
  return (
    typeof entry === "object" &&
    entry !== null &&
    "label" in entry &&
    "query" in entry &&
    typeof entry.label === "string" &&
    typeof entry.query === "string"
  );
}
