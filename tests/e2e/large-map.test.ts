/** Maps of many services: hubs as badges, groups by namespace, what is hidden in words; zoom, filter and group by their addresses. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { findPage } from "@callchain/deploy/page.ts";
import { seriousFaults } from "../support/axe.ts";
import { openBrowser, openPage, skipWithoutBrowser, type PageOptions, type WatchedPage } from "../support/browser.ts";
import { buildServiceSpans } from "../support/many-services.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { storeSpans } from "../support/store-spans.ts";

const skip = skipWithoutBrowser;
const DAY_NANO = 86_400_000_000_000n;
const HUNDRED = 1_768_000_000_000_000_000n;
const MANY = HUNDRED + 2n * DAY_NANO;
let stack: QueryStack;
let browser: Browser;
before(async () => {
  if (skip !== false) return;
  stack = await startQueryStack(undefined, undefined, findPage());
  await storeSpans(stack.writer, [...buildServiceSpans(100, HUNDRED)]);
  await storeSpans(stack.writer, [...buildServiceSpans(260, MANY, 10_000)]);
  browser = await openBrowser();
});
after(async () => {
  if (skip !== false) return;
  await browser.close();
  await stack.stop();
});

async function open(startNano: bigint, more = "", options: PageOptions = {}): Promise<WatchedPage> {
  const watched = await openPage(browser, options);
  await watched.page.goto(`${stack.url}/map?from=${startNano}&to=${startNano + DAY_NANO}${more}`);
  await watched.page.locator("svg .node").first().waitFor();
  return watched;
}

test(
  "a hundred services: calls to the hub are badges, and what is hidden is counted in words and shown on demand",
  { skip },
  async () => {
    const { page, faults, screenshot } = await open(HUNDRED);
    await page.getByText(/\d+ edges hidden/).waitFor();
    await page.getByText(/\d+ calls to hubs as badges/).waitFor();
    await page.getByRole("button", { name: /^config.*← 50/ }).waitFor();
    const drawn = await page.locator("svg .edge").count();
    await screenshot("map-hundred");
    assert.deepEqual(await seriousFaults(page), []);
    await page.getByRole("button", { name: "Show all" }).click();
    await page.waitForURL(/edges=all/);
    await page.getByRole("button", { name: "Show the busiest only" }).waitFor();
    await page
      .locator("svg .edge")
      .nth(drawn + 40)
      .waitFor({ state: "attached" });
    assert.deepEqual(faults, []);
  },
);

test("an edge of a large map is pointed at and says its figures where it is", { skip }, async () => {
  const { page, faults } = await open(HUNDRED);
  const edge = page.locator("svg .edge").nth(20);
  await edge.focus();
  const label = edge.locator(".label rect");
  const [line, box] = [await edge.locator(".line").boundingBox(), await label.boundingBox()];
  assert.ok(line !== null && box !== null);
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  assert.ok(
    middle.x > line.x - 5 && middle.x < line.x + line.width + 5 && middle.y > line.y - 5 && middle.y < line.y + line.height + 5,
  );
  await page.keyboard.press("Enter");
  await page
    .getByRole("region", { name: "Selected call" })
    .getByRole("link", { name: /^[0-9a-f]{32}$/ })
    .first()
    .waitFor();
  assert.deepEqual(faults, []);
});

test("more than two hundred services are grouped by namespace, one group open at a time", { skip }, async () => {
  const { page, faults, screenshot } = await open(MANY);
  await page.getByText(/grouped by their namespace/).waitFor();
  const groups = page.getByRole("button", { name: /^Open group team\d+/ });
  assert.equal(await groups.count(), 12);
  await screenshot("map-grouped");
  assert.deepEqual(await seriousFaults(page), []);
  await page.getByRole("button", { name: /^Open group team3/ }).click();
  await page.waitForURL(/group=group:team3/);
  await page.locator("svg .node[aria-label^='team3-svc15 ']").waitFor();
  assert.equal(await groups.count(), 11);
  const again = await openPage(browser, { width: 900, locale: "zh-CN", colorScheme: "dark" });
  await again.page.goto(page.url());
  await again.page.locator("svg .node[aria-label^='team3-svc15 ']").waitFor();
  await again.page.getByRole("button", { name: "收起分组 team3" }).waitFor();
  await again.screenshot("map-grouped-900");
  assert.deepEqual(await seriousFaults(again.page), []);
  assert.equal(await again.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0);
  await page.getByRole("button", { name: "Close group team3" }).click();
  await page.waitForURL((url) => !url.searchParams.has("group"));
  assert.deepEqual([...faults, ...again.faults], []);
});

test("a focus works in a graph of any size, one hop and two", { skip }, async () => {
  const { page, faults } = await open(MANY, "&focus=service:team0-svc12");
  const one = await page.locator("svg .node").count();
  await page.getByLabel("Hops").selectOption("2");
  await page.waitForURL(/depth=2/);
  await page.locator("svg .node").nth(one).waitFor();
  assert.deepEqual(faults, []);
});

test("the zoom and the filter of the table are in the address", { skip }, async () => {
  const { page, faults } = await open(HUNDRED);
  const drawing = page.locator("svg > g").first();
  const whole = await drawing.getAttribute("transform");
  await page.keyboard.press("+");
  await page.keyboard.press("+");
  await page.waitForURL(/zoom=-?\d+,-?\d+,[\d.]+/);
  await page.getByRole("searchbox", { name: "Filter edges" }).fill("config");
  await page.waitForURL(/find=config/);
  const rows = await page.getByRole("row").count();
  const again = await openPage(browser);
  await again.page.goto(page.url());
  await again.page.locator("svg .node").first().waitFor();
  const [seen, wanted] = [again.page, page].map((each) => each.locator("svg > g").first().getAttribute("transform"));
  const numbers = (text: string | null | undefined): number[] => (text ?? "").match(/-?[\d.]+/g)?.map(Number) ?? [];
  const expected = numbers(await wanted);
  for (const [at, value] of numbers(await seen).entries()) assert.ok(Math.abs(value - (expected[at] ?? 0)) < 4, String(value));
  assert.equal(await again.page.getByRole("row").count(), rows);
  await page.evaluate("document.activeElement.blur()");
  await page.keyboard.press("0");
  await page.waitForURL((url) => !url.searchParams.has("zoom"));
  assert.equal(await drawing.getAttribute("transform"), whole);
  assert.deepEqual([...faults, ...again.faults], []);
});

test("single keys do nothing on the map when they are turned off", { skip }, async () => {
  const { page, faults } = await open(HUNDRED);
  await page.keyboard.press("?");
  await page.getByLabel("Single-key shortcuts are on").uncheck();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  for (const key of ["+", "r", "?", "/"]) await page.keyboard.press(key);
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.equal(new URL(page.url()).searchParams.get("zoom"), null);
  assert.equal(await page.locator("input:focus").count(), 0);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Single-key shortcuts are on").check();
  await page.keyboard.press("Escape");
  await page.evaluate("document.activeElement.blur()");
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  assert.deepEqual(faults, []);
});
