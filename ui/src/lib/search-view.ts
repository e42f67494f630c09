/** Which view of a search is shown and what is chosen in it, as the URL says it. */
export const SEARCH_VIEWS = ["traces", "heatmap", "aggregates"] as const;
export type SearchView = (typeof SEARCH_VIEWS)[number];

export function readView(params: URLSearchParams): SearchView {
  return SEARCH_VIEWS.find((view) => view === params.get("view")) ?? "traces";
}

/** A region of the heatmap: start times and durations, all in nanoseconds; the ends are not part of it. */
export interface Brush {
  readonly fromNano: bigint;
  readonly toNano: bigint;
  readonly minNano: bigint;
  readonly maxNano: bigint;
}

/** `brush=<from>,<to>,<min>,<max>`; null for anything else. */
export function readBrush(params: URLSearchParams): Brush | null {
  const text = params.get("brush") ?? "";
  if (!/^\d{1,19}(?:,\d{1,19}){3}$/.test(text)) return null;
  const [fromNano = 0n, toNano = 0n, minNano = 0n, maxNano = 0n] = text.split(",").map(BigInt);
  return fromNano < toNano && minNano < maxNano ? { fromNano, toNano, minNano, maxNano } : null;
}

export function writeBrush({ fromNano, toNano, minNano, maxNano }: Brush): string {
  return [fromNano, toNano, minNano, maxNano].join(",");
}

/** Two traces to compare; more than two are not chosen. */
export function readPicks(params: URLSearchParams): string[] {
  return [...new Set((params.get("pick") ?? "").split(",").filter((id) => /^[0-9a-f]{32}$/.test(id)))].slice(0, 2);
}

/** Picks or unpicks a trace; a third takes the place of the one picked first. */
export function changePick(picks: readonly string[], traceId: string): string[] {
  return picks.includes(traceId) ? picks.filter((id) => id !== traceId) : [...picks, traceId].slice(-2);
}

/** Traces that are shown at most: a table of more is not read. */
export const SHOWN_MAX = 1000;

/** How many traces were loaded, for a link that shows as many; the page size where the URL says nothing sensible. */
export function readShown(params: URLSearchParams, pageSize: number): number {
  const shown = Number(params.get("shown") ?? "");
  return Number.isSafeInteger(shown) && shown > pageSize ? Math.min(shown, SHOWN_MAX) : pageSize;
}
