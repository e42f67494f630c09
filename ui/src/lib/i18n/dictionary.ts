/**
 * Every text of the UI, in English and Chinese, as `key: [English, Chinese]`. `{name}` is filled in; `one|many` gives English its
 * singular for `{count}` 1. Words: trace 追踪, call chain 调用链, service 服务; Span stays Span.
 */
import { DIFF_TEXTS } from "./diff.ts";
import { HELP_TEXTS } from "./help.ts";
import { LIVE_TEXTS } from "./live.ts";
import { MAP_TEXTS } from "./map.ts";
import { OPEN_TEXTS } from "./open.ts";
import { SEARCH_TEXTS } from "./search.ts";
import { SERVICES_TEXTS } from "./services.ts";
import { SHELL_TEXTS } from "./shell.ts";
import { TRACE_TEXTS } from "./trace.ts";

export type Language = "en" | "zh";
export type Text = readonly [en: string, zh: string];
export type TextValues = Readonly<Record<string, string | number>>;

export const TEXTS = {
  ...SHELL_TEXTS,
  ...HELP_TEXTS,
  ...SERVICES_TEXTS,
  ...SEARCH_TEXTS,
  ...MAP_TEXTS,
  ...LIVE_TEXTS,
  ...OPEN_TEXTS,
  ...DIFF_TEXTS,
  ...TRACE_TEXTS,
} satisfies Record<string, Text>;
export type TextKey = keyof typeof TEXTS;

export function translate(language: Language, key: TextKey, values: TextValues = {}): string {
  const [en, zh]: Text = TEXTS[key];
  let pattern = language === "zh" ? zh : en;
  const bar = pattern.indexOf("|");
  if (bar !== -1) pattern = values["count"] === 1 || values["count"] === "1" ? pattern.slice(0, bar) : pattern.slice(bar + 1);
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? `${values[name]}` : whole));
}

/** The first of the browser's languages that there are texts for. */
export function languageOf(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    if (tag.toLowerCase().startsWith("zh")) return "zh";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}
