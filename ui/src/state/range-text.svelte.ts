/** The time range in words. */
import type { TextKey } from "../lib/i18n/dictionary.ts";
import { formatDuration } from "../lib/format.ts";
import { instantMs, nanoTextFromMs, rangeSeconds, splitRelative } from "../lib/time-range.ts";
import { router } from "./router.svelte.ts";
import { t, time, timeOfDay } from "./settings.svelte.ts";

const UNIT_TEXTS: Record<string, TextKey> = {
  ms: "range.unit.ms",
  s: "range.unit.s",
  m: "range.unit.m",
  h: "range.unit.h",
  d: "range.unit.d",
  w: "range.unit.w",
};

function lengthText(from: string): string | null {
  const relative = splitRelative(from);
  const key = relative === null ? undefined : UNIT_TEXTS[relative.unit];
  return relative === null || key === undefined ? null : t(key, { count: relative.amount });
}

/** The length of the chosen range: `15 minutes`, `2 h 10 min`. */
export function rangeLengthText(): string {
  const { from, to } = router.range;
  return (to === "now" ? lengthText(from) : null) ?? formatDuration(Math.round(rangeSeconds(router.range)) * 1e9);
}

/** `Last 15 minutes` for `now-15m`; a text that is not relative as it is. */
export function relativeText(from: string): string {
  const length = lengthText(from);
  return length === null ? from : t("range.last", { length });
}

/** The chosen range: relative in words, absolute as times. */
export function rangeText(): string {
  const { from, to } = router.range;
  if (to === "now" && splitRelative(from) !== null) return relativeText(from);
  const nowMs = Date.now();
  const fromNano = nanoTextFromMs(instantMs(from, nowMs) ?? nowMs);
  const toNano = nanoTextFromMs(instantMs(to, nowMs) ?? nowMs);
  const sameDay = time(fromNano, 0).slice(0, 10) === time(toNano, 0).slice(0, 10);
  return `${time(fromNano, 0)} – ${sameDay ? timeOfDay(toNano, 0) : time(toNano, 0)}`;
}
