/** A page in the system's Chromium that collects what must not happen: script errors, console errors, CSP reports. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser, Page } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "./chromium.ts";
import { ROOT } from "./process.ts";

/** Why the page's tests are skipped, or false. `npm test` says so loudly, and fails with CI=true. */
export const skipWithoutBrowser = findChromium({ install: false }).missing ?? false;

/** Not in git: looked at by people. */
const SCREENSHOT_DIR = join(ROOT, ".cache/screenshots");

/** Only a test that fails waits this long: spans come to a page by way of log, writer and engine, slowly on a busy machine. */
const PATIENCE_MS = 120_000;

export interface PageOptions {
  readonly width?: number;
  readonly colorScheme?: "light" | "dark";
  readonly locale?: string;
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors so far. */
  readonly faults: readonly string[];
  readonly screenshot: (name: string) => Promise<void>;
}

export async function openBrowser(): Promise<Browser> {
  const { path, missing } = findChromium({ install: false });
  if (path === undefined) throw new Error(missing);
  return chromium.launch({ executablePath: path, args: CHROMIUM_FLAGS });
}

export async function openPage(browser: Browser, options: PageOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: 900 },
    colorScheme: options.colorScheme ?? "light",
    locale: options.locale ?? "en-GB",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    // A status of 404 is an answer that some tests ask for; the browser itself logs it.
    if (message.type() === "error" && !message.text().includes("status of 404")) faults.push(`console: ${message.text()}`);
  });
  mkdirSync(SCREENSHOT_DIR, { recursive: true });
  return {
    page,
    faults,
    screenshot: async (name) => {
      await page.screenshot({ path: join(SCREENSHOT_DIR, `${name}.png`) });
    },
  };
}
