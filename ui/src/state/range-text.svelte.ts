/** The time range in words. */
import type { TextKey } from "../lib/i18n/dictionary.ts";
import { instantMs, nanoTextFromMs, splitRelative } from "../lib/time-range.ts";
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

/** `Last 15 minutes` for `now-15m`; a text that is not relative as it is. */
export function relativeText(from: string): string {
  const relative = splitRelative(from);
  const key = relative === null ? undefined : UNIT_TEXTS[relative.unit];
  if (relative === null || key === undefined) return from;
  return t("range.last", { length: t(key, { count: relative.amount }) });
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
