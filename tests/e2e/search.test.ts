/** The search page: a query is written with help, run, refused where it is wrong, and found again by its address. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Locator, Page } from "playwright-core";
import { ExemplarsAnswer } from "@callchain/schemas/api/aggregates.ts";
import { seriousFaults } from "../support/axe.ts";
import { skipWithoutBrowser } from "../support/browser.ts";
import type { PageStack } from "../support/page-stack.ts";
import { getJson } from "../support/process.ts";
import { openShop } from "../support/shop.ts";

const skip = skipWithoutBrowser;
/** The catalog's stack trace: its own frames, then those of libraries. */
const FRAMES_AT = 1;
let shop: PageStack;
before(async () => {
  if (skip === false) shop = await openShop();
});
after(async () => {
  if (skip === false) await shop.close();
});

const open: PageStack["open"] = (...args) => shop.open(...args);

async function openEditor(page: Page) {
  await page.locator(".cm-editor").waitFor();
  return page.getByRole("textbox", { name: "Query" });
}

test("a query is completed from what the store has seen, and run", { skip }, async () => {
  const { page, faults, screenshot } = await open("/search");
  const editor = await openEditor(page);
  await editor.click();
  await page.keyboard.type("{ resource.service.na");
  const options = page.getByRole("listbox").getByRole("option");
  await options.filter({ hasText: "resource.service.name" }).first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.type('= "chec');
  await options.filter({ hasText: "checkout" }).first().waitFor();
  await screenshot("search-completion");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.type("&& duration > 1ms");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=/);
  assert.equal(new URL(page.url()).searchParams.get("q"), '{ resource.service.name = "checkout" && duration > 1ms}');
  await page.getByText("Understood as").waitFor();
  await page.getByRole("link", { name: "POST /checkout" }).first().waitFor();
  assert.deepEqual(faults, []);
});

test("a refused query is marked at its character, and searching goes on once it is mended", { skip }, async () => {
  const { page, faults } = await open(`/search?q=${encodeURIComponent("{ duration > 1ms && foo bar }")}`);
  const editor = await openEditor(page);
  await page.getByText(/was not understood: at character 21/).waitFor();
  assert.equal(await page.locator(".q-fault").textContent(), "foo");
  await page.getByText("Nothing was searched").waitFor();
  assert.deepEqual(await seriousFaults(page), []);
  await editor.click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("{ status = error }");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.getByRole("link", { name: "POST /checkout" }).first().waitFor();
  assert.equal(await page.locator(".q-fault").count(), 0);
  assert.deepEqual(
    faults.filter((fault) => !fault.includes("status of 400")),
    [],
  );
});

test("more traces are loaded by the cursor, and the address shows as many", { skip }, async () => {
  const { page, faults } = await open("/search");
  const rows = page.locator("table.traces tbody tr");
  await page.getByText("The first 20 traces").waitFor();
  await page.getByRole("button", { name: "Load 20 more" }).click();
  await page.getByText("The first 40 traces").waitFor();
  assert.equal(await rows.count(), 40);
  await page.waitForURL(/shown=40/);
  const again = await open(`/search${new URL(page.url()).search}`);
  await again.page.getByText("The first 40 traces").waitFor();
  assert.deepEqual([...faults, ...again.faults], []);
});

test("the pickers' question becomes a query that can be edited", { skip }, async () => {
  const { page } = await open("/search?service=payment&status=error");
  await page.getByRole("button", { name: "Edit as TraceQL" }).click();
  await page.waitForURL((url) => !url.searchParams.has("service"));
  const query = new URL(page.url()).searchParams.get("q");
  assert.equal(query, '{ resource.service.name = "payment" && status = error }');
  await openEditor(page);
  await page.getByRole("link", { name: "POST /checkout" }).first().waitFor();
});

test("aggregates group by any attribute, and a group leads to its traces", { skip }, async () => {
  const { page, faults, screenshot } = await open("/search?view=aggregates&group=span.http.route&service=api-gateway");
  await page.getByRole("cell", { name: "/checkout", exact: true }).waitFor();
  await screenshot("search-aggregates");
  assert.deepEqual(await seriousFaults(page), []);
  await page.getByRole("link", { name: "Traces of /checkout", exact: true }).click();
  await page.waitForURL((url) => url.searchParams.get("q") === '{ span.http.route = "/checkout" }');
  await page.getByRole("link", { name: "POST /checkout" }).first().waitFor();
  assert.deepEqual(faults, []);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(
    `a region of the heatmap is chosen by dragging and by keys, and shows its slowest spans, ${colorScheme}`,
    { skip },
    async () => {
      const { page, faults, screenshot } = await open("/search?view=heatmap&service=checkout", { colorScheme });
      const plot = page.getByRole("group", { name: /Latency heatmap/ });
      await plot.waitFor();
      const box = await plot.boundingBox();
      assert.ok(box !== null);
      await page.mouse.move(box.x + 200, box.y + 20);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width - 40, box.y + box.height / 2, { steps: 5 });
      await page.mouse.up();
      await page.waitForURL(/brush=\d+,\d+,\d+,\d+/);
      await page.getByRole("heading", { name: "Slowest of the chosen region" }).waitFor();
      await page.getByRole("cell", { name: "shop.Checkout/Place" }).first().waitFor();
      await page.getByText(/spans of the region against the/).waitFor();
      await screenshot(`heatmap-${colorScheme}`);
      assert.deepEqual(await seriousFaults(page), []);
      const dragged = page.url();
      await plot.focus();
      await page.keyboard.press("Shift+ArrowUp");
      await page.keyboard.press("ArrowLeft");
      await page.waitForURL((url) => url.href !== dragged);
      const again = await open(`/search${new URL(dragged).search}`, { width: 900, locale: "zh-CN", colorScheme });
      await again.page.getByRole("heading", { name: "所选区域中最慢的" }).waitFor();
      assert.deepEqual(await seriousFaults(again.page), []);
      await page.keyboard.press("Escape");
      await page.waitForURL((url) => !url.searchParams.has("brush"));
      assert.deepEqual([...faults, ...again.faults], []);
    },
  );
}

test("the command palette finds pages, services and traces by the keyboard alone; ? shows the keys", { skip }, async () => {
  const { page, faults, screenshot } = await open("/search?service=checkout&status=error");
  const name = page.getByRole("link", { name: "POST /checkout" }).first();
  await name.waitFor();
  const traceId = /[0-9a-f]{32}/.exec((await name.getAttribute("href")) ?? "")?.[0] ?? "";
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Help: search" }).waitFor();
  assert.deepEqual(await seriousFaults(page), []);
  await page.getByRole("button", { name: "The query language", exact: true }).click();
  await page.getByRole("dialog", { name: "The query language" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  // A dialog tells that it was closed in a task of its own, and has the focus until the next frame: a key pressed before that opens the next.
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Help: search" }).waitFor();
  await page.evaluate(`document.querySelector("dialog").close();
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true }));
    new Promise((resolve) => setTimeout(resolve, 100))`);
  await page.getByRole("dialog", { name: "Help: search" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  // Also over a help that is still open: the palette takes its place.
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Help: search" }).waitFor();
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByRole("dialog", { name: "Help: search" }).waitFor({ state: "detached" });
  const field = page.getByRole("combobox", { name: /trace id or command/ });
  await field.fill("invent");
  await page.getByRole("option", { name: "inventory", exact: true }).waitFor();
  await screenshot("palette");
  assert.deepEqual(await seriousFaults(page), []);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/service\/inventory/);
  await page.keyboard.press("ControlOrMeta+k");
  await field.fill(traceId.toUpperCase());
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/trace/${traceId}`));
  assert.deepEqual(faults, []);
});

async function isOpen(fold: Locator): Promise<boolean> {
  return (await fold.getAttribute("open")) !== null;
}

test("folds of a chart, an event and its stack trace are as the address says, and a span's are its own", { skip }, async () => {
  const { page, faults } = await open("/service/checkout");
  const table = page.locator("details", { hasText: "As a table" }).first();
  await table.locator("summary").click();
  await page.waitForURL(/folds=service\.latency/);
  const again = await open(`/service/checkout${new URL(page.url()).search}`);
  await again.page.locator("details[open] >> text=As a table").first().waitFor();
  assert.equal(await again.page.locator("details[open]").count(), 1);

  const query = encodeURIComponent('{ event:name = "exception" && resource.service.name = "catalog" }');
  const url = `${shop.callchain.queryUrl}/api/v1/exemplars?from=now-3h&limit=1&q=${query}`;
  const [failed] = ExemplarsAnswer.parse(await getJson(url)).spans;
  assert.ok(failed !== undefined);
  const at = `/trace/${failed.traceId}?span=${failed.spanId}`;
  await page.goto(shop.callchain.queryUrl + at);
  const dock = page.getByRole("complementary", { name: /span details/i });
  const event = dock.locator("details:has(.error-text)");
  const frames = event.locator(".stack details").first();
  await frames.locator("summary").click();
  await page.waitForURL((to) => to.searchParams.get("folds") === `frames.${failed.spanId}.0.${FRAMES_AT}`);
  await dock.locator("details.raw summary").click();
  await page.waitForURL(/folds=.*,raw/);
  await page.reload();
  await dock.locator("details.raw[open] pre").waitFor();
  assert.deepEqual(await Promise.all([frames, event].map(isOpen)), [true, true]);
  await event.locator("summary").first().click();
  await page.waitForURL(new RegExp(`folds=.*event\\.${failed.spanId}\\.0`));
  await page.reload();
  await dock.locator("details.raw[open] pre").waitFor();
  assert.equal(await isOpen(event), false);
  await event.locator("summary").first().click();
  await dock.locator("details.raw summary").click();
  await page.waitForURL((to) => to.searchParams.get("folds") === `frames.${failed.spanId}.0.${FRAMES_AT}`);
  assert.deepEqual([...faults, ...again.faults], []);
});
