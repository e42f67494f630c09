/** What a person prefers, kept in this browser: language, theme, local time or UTC. */
import type { Theme } from "../lib/colour.ts";
import { formatAgo, formatTime, formatTimeOfDay, formatZone, type Fraction } from "../lib/format-time.ts";
import { languageOf, translate, type Language, type TextKey, type TextValues } from "../lib/i18n/dictionary.ts";
import { loadPreference, savePreference } from "./preferences.ts";

export type ThemeChoice = Theme | "system";

function readTheme(): ThemeChoice {
  const kept = loadPreference("theme");
  return kept === "light" || kept === "dark" ? kept : "system";
}

function readLanguage(): Language {
  const kept = loadPreference("language");
  return kept === "en" || kept === "zh" ? kept : languageOf(navigator.languages);
}

class Settings {
  #themeChoice = $state<ThemeChoice>(readTheme());
  #language = $state<Language>(readLanguage());
  #utc = $state(loadPreference("utc") === "true");
  #keysAreOn = $state(loadPreference("keys") !== "false");
  #systemDark = $state(false);

  constructor() {
    const media = matchMedia("(prefers-color-scheme: dark)");
    this.#systemDark = media.matches;
    media.addEventListener("change", () => {
      this.#systemDark = media.matches;
      this.#apply();
    });
    this.#apply();
  }

  /** CSS reads the theme from `<html data-theme>`, screen readers the language from `<html lang>`. */
  #apply(): void {
    document.documentElement.dataset["theme"] = this.theme;
    document.documentElement.lang = this.#language === "zh" ? "zh-CN" : "en";
  }

  get themeChoice(): ThemeChoice {
    return this.#themeChoice;
  }
  set themeChoice(choice: ThemeChoice) {
    this.#themeChoice = choice;
    savePreference("theme", choice);
    this.#apply();
  }

  /** The theme that is shown. */
  get theme(): Theme {
    if (this.#themeChoice !== "system") return this.#themeChoice;
    return this.#systemDark ? "dark" : "light";
  }

  get language(): Language {
    return this.#language;
  }
  set language(language: Language) {
    this.#language = language;
    savePreference("language", language);
    this.#apply();
  }

  get utc(): boolean {
    return this.#utc;
  }
  set utc(utc: boolean) {
    this.#utc = utc;
    savePreference("utc", `${utc}`);
  }

  /** Whether single letters, digits and signs are shortcuts; arrows, Enter and Escape always work. */
  get keysAreOn(): boolean {
    return this.#keysAreOn;
  }
  set keysAreOn(keysAreOn: boolean) {
    this.#keysAreOn = keysAreOn;
    savePreference("keys", `${keysAreOn}`);
  }
}

export const settings = new Settings();

/** The text for a key in the chosen language; reactive. */
export function t(key: TextKey, values?: TextValues): string {
  return translate(settings.language, key, values);
}

/** Reactive counterparts of lib/format-time.ts in the chosen zone and language. */
export function time(nano: bigint | string, fraction?: Fraction): string {
  return formatTime(nano, settings, fraction);
}
export function timeOfDay(nano: bigint | string, fraction?: Fraction): string {
  return formatTimeOfDay(nano, settings, fraction);
}
export function ago(nano: bigint | string, nowMs: number = Date.now()): string {
  return formatAgo(nano, nowMs, settings.language);
}
export function zone(): string {
  return formatZone(settings);
}
