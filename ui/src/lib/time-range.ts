/**
 * The time range of a view, as the URL and the REST API write it: `now`, `now-1h`, Unix nanoseconds or RFC 3339. Relative ends stay
 * relative in the URL, so that a bookmark of "the last hour" stays the last hour.
 */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

export const DEFAULT_RANGE: TimeRange = { from: "now-1h", to: "now" };

/** Offered in the time menu, shortest first. */
export const RELATIVE_RANGES = [
  "now-5m",
  "now-15m",
  "now-30m",
  "now-1h",
  "now-3h",
  "now-6h",
  "now-12h",
  "now-1d",
  "now-2d",
  "now-7d",
];

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 7 * 86_400_000],
]);

const RELATIVE = /^now(?:-(\d+(?:\.\d+)?)(ms|[smhdw]))?$/;

/** Amount and unit of `now-15m`; null for anything else. */
export function splitRelative(text: string): { readonly amount: number; readonly unit: string } | null {
  const [, amount, unit] = RELATIVE.exec(text) ?? [];
  return amount === undefined || unit === undefined ? null : { amount: Number(amount), unit };
}

/** Milliseconds since the epoch; null when the text is no time. A count of digits is read by its magnitude as s, ms, us or ns. */
export function instantMs(text: string, nowMs: number): number | null {
  if (text === "now") return nowMs;
  const relative = splitRelative(text);
  if (relative !== null) return nowMs - relative.amount * (UNIT_MS.get(relative.unit) ?? 0);
  if (/^\d{9,20}$/.test(text)) {
    const scale = text.length <= 11 ? 1000 : text.length <= 14 ? 1 : text.length <= 17 ? 1e-3 : 1e-6;
    return Number(text) * scale;
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

/** The range that the URL names; the last hour for whatever is absent, unreadable or the wrong way round. */
export function readRange(params: URLSearchParams, nowMs: number = Date.now()): TimeRange {
  const from = params.get("from") ?? DEFAULT_RANGE.from;
  const to = params.get("to") ?? DEFAULT_RANGE.to;
  const fromMs = instantMs(from, nowMs);
  const toMs = instantMs(to, nowMs);
  return fromMs === null || toMs === null || fromMs >= toMs ? DEFAULT_RANGE : { from, to };
}

export function isDefaultRange(range: TimeRange): boolean {
  return range.from === DEFAULT_RANGE.from && range.to === DEFAULT_RANGE.to;
}

/** For `changeParams`: the default range is left out of the URL. */
export function rangeChanges(range: TimeRange): { from: string | null; to: string | null } {
  return isDefaultRange(range) ? { from: null, to: null } : { from: range.from, to: range.to === "now" ? null : range.to };
}

/** The length in seconds, at least one nanosecond's worth; both ends must be readable (as `readRange` leaves them). */
export function rangeSeconds(range: TimeRange, nowMs: number = Date.now()): number {
  const fromMs = instantMs(range.from, nowMs) ?? nowMs - 3_600_000;
  const toMs = instantMs(range.to, nowMs) ?? nowMs;
  return Math.max((toMs - fromMs) / 1000, 1e-9);
}

/** Unix nanoseconds for the API and the URL; a millisecond is as fine as an input field gets. */
export function nanoTextFromMs(ms: number): string {
  return `${BigInt(Math.round(ms)) * 1_000_000n}`;
}

/** `2026-01-31T13:45:10` for `<input type="datetime-local">`, in local time or UTC. */
export function inputTextFromMs(ms: number, utc: boolean): string {
  const offsetMs = utc ? 0 : new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offsetMs).toISOString().slice(0, 19);
}

/** The way back; null for an empty or impossible field. */
export function msFromInputText(text: string, utc: boolean): number | null {
  const ms = Date.parse(utc ? `${text}Z` : text);
  return text === "" || Number.isNaN(ms) ? null : ms;
}
