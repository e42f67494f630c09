/** The trace page by keyboard, by address, in both languages and widths, on the demo's traces in the real all-in-one. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Locator, Page } from "playwright-core";
import { Shop } from "@callchain/deploy/demo/demo.ts";
import { sendSpans } from "@callchain/deploy/demo/sender.ts";
import { ServicesAnswer } from "@callchain/schemas/api/catalog.ts";
import { seriousFaults } from "../support/axe.ts";
import { openPage, skipWithoutBrowser } from "../support/browser.ts";
import { openPageStack, type PageStack } from "../support/page-stack.ts";
import { getJson, until } from "../support/process.ts";

const skip = skipWithoutBrowser;
let stack: PageStack;
/** Traces of the demo: a checkout whose payment failed, an N+1, a skewed clock. */
let failed = "";
let repeated = "";
let skewed = "";

before(async () => {
  if (skip !== false) return;
  stack = await openPageStack();
  const nowMs = Date.now();
  const starts = Array.from({ length: 300 }, (_, index) => nowMs - 2_400_000 + index * 5000);
  const sent = await sendSpans(stack.callchain.otlpHttpUrl, new Shop(1).traces(starts));
  await until("all spans are stored", async () => {
    const { services } = ServicesAnswer.parse(await getJson(`${stack.callchain.queryUrl}/api/v1/services?from=now-3h`));
    return services.reduce((sum, { spanCount }) => sum + spanCount, 0) === sent;
  });
  failed = await stack.findTraceId("service=payment&status=error");
  repeated = await stack.findTraceId("service=orders&name=GET%20%2Forders");
  skewed = await stack.findTraceId("service=recommendation");
});
after(async () => {
  if (skip === false) await stack.close();
});

const gridOf = (page: Page): Locator => page.locator('[role="treegrid"][aria-busy="false"]');
const activeRow = (page: Page): Locator => page.locator('[role="row"][aria-selected="true"]');

async function rowCount(page: Page): Promise<number> {
  return Number(await gridOf(page).getAttribute("aria-rowcount"));
}
async function activeIndex(page: Page): Promise<number> {
  return Number(await activeRow(page).getAttribute("aria-rowindex"));
}
const param = (page: Page, name: string): string | null => new URL(page.url()).searchParams.get(name);

/** Waits until what the address says of a parameter is as expected. */
async function paramIs(page: Page, name: string, expected: string | RegExp | null): Promise<void> {
  await page.waitForURL((url) => {
    const value = url.searchParams.get(name);
    return expected instanceof RegExp ? value !== null && expected.test(value) : value === expected;
  });
}
async function openTrace(page: Page, path: string): Promise<void> {
  await page.goto(`${stack.callchain.queryUrl}/trace/${path}`);
  await gridOf(page).waitFor();
  await activeRow(page).waitFor();
}

test("every key does what the help says", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await openTrace(page, failed);
  await activeRow(page).focus();
  const press = (key: string): Promise<void> => page.keyboard.press(key);
  const all = await rowCount(page);

  for (const [down, up] of [
    ["ArrowDown", "ArrowUp"],
    ["j", "k"],
  ] as const) {
    await press(down);
    assert.equal(await activeIndex(page), 2, down);
    await press(up);
    assert.equal(await activeIndex(page), 1, up);
  }
  await press("End");
  assert.equal(await activeIndex(page), all);
  await press("Home");
  await press("PageDown");
  assert.ok((await activeIndex(page)) > 10);
  await press("PageUp");
  assert.equal(await activeIndex(page), 1);

  await press("ArrowLeft");
  assert.equal(await rowCount(page), 1);
  await press("l");
  assert.equal(await rowCount(page), all);
  await press("ArrowRight");
  assert.equal(await activeIndex(page), 2);
  await press("Home");

  const dock = page.getByRole("complementary", { name: /span details/i });
  await press("Enter");
  await dock.waitFor();
  await paramIs(page, "span", /^[0-9a-f]{16}$/);
  await press("Escape");
  await dock.waitFor({ state: "detached" });
  await paramIs(page, "span", null);

  await press("+");
  await paramIs(page, "t1", /^\d+$/);
  await press("-");
  await paramIs(page, "t1", null);
  await press("z");
  await press("+");
  await press(".");
  await paramIs(page, "t0", /^\d+$/);
  await press("0");
  await paramIs(page, "t0", null);

  await press("e");
  const first = await activeIndex(page);
  assert.equal(await activeRow(page).getByRole("img", { name: "Error" }).count(), 1);
  await press("e");
  assert.ok((await activeIndex(page)) > first);
  await press("E");
  assert.equal(await activeIndex(page), first);

  await press("f");
  await paramIs(page, "root", /^[0-9a-f]{16}$/);
  await press("f");
  await paramIs(page, "root", null);

  await press("/");
  await page.keyboard.type("accounts");
  await paramIs(page, "f", "accounts");
  await press("Enter");
  await activeRow(page).focus();
  const match = await activeIndex(page);
  await press("n");
  assert.ok((await activeIndex(page)) > match);
  await press("N");
  assert.equal(await activeIndex(page), match);

  for (const [key, word] of [
    ["c", "path"],
    ["x", "gaps"],
    ["i", "idle"],
    ["a", "nolinks"],
  ] as const) {
    await press(key);
    await paramIs(page, "show", word);
    await press(key);
    await paramIs(page, "show", null);
  }
  await press("g");
  await paramIs(page, "open", "g0");
  await press("g");
  await paramIs(page, "open", null);
  await press("[");
  assert.ok((await rowCount(page)) < all);
  await press("]");
  assert.equal(await rowCount(page), all);

  await press("u");
  await page.getByRole("button", { name: "UTC", exact: true, pressed: true }).waitFor();
  await press("u");
  await press("y");
  await page.getByText("Copied", { exact: true }).waitFor();
  for (const [key, view] of [
    ["2", "flame"],
    ["3", "graph"],
    ["4", "statistics"],
    ["5", "raw"],
    ["1", null],
  ] as const) {
    await press(key);
    await paramIs(page, "v", view);
  }
  assert.deepEqual(faults, []);
});

test("single-key shortcuts can be turned off; arrows stay", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await openTrace(page, failed);
  await activeRow(page).focus();
  await page.keyboard.press("?");
  await page.getByLabel("Single-key shortcuts are on").uncheck();
  await page.keyboard.press("Escape");
  await activeRow(page).focus();
  await page.keyboard.press("j");
  assert.equal(await activeIndex(page), 1);
  await page.keyboard.press("ArrowDown");
  assert.equal(await activeIndex(page), 2);
  await page.reload();
  await activeRow(page).focus();
  await page.keyboard.press("3");
  await page.keyboard.press("ArrowDown");
  assert.equal(await activeIndex(page), 2);
  assert.equal(param(page, "v"), null);
  assert.deepEqual(faults, []);
});

test("an address brings back what was in view", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser);
  await openTrace(page, repeated);
  await page.locator('[role="row"]', { hasText: "N+1" }).click();
  for (const key of ["ArrowDown", "ArrowDown", "Enter", "z", "-", "c", "x"]) await page.keyboard.press(key);
  await page.keyboard.press("/");
  await page.keyboard.type("select");
  await paramIs(page, "f", "select");
  await paramIs(page, "show", "path,gaps");
  await paramIs(page, "open", /^x[0-9a-f]{8}$/);
  await paramIs(page, "t1", /^\d+$/);
  await page.getByRole("separator", { name: "Width of the name column" }).press("ArrowRight");
  await paramIs(page, "names", "38");
  const address = page.url();
  const seen = { rows: await rowCount(page), active: await activeIndex(page) };
  await screenshot("trace-deep-link");

  const again = await openPage(stack.browser);
  await again.page.goto(address);
  await gridOf(again.page).waitFor();
  await again.page.getByRole("complementary", { name: /span details/i }).waitFor();
  assert.deepEqual({ rows: await rowCount(again.page), active: await activeIndex(again.page) }, seen);
  assert.equal(await again.page.getByRole("button", { name: "Gaps", pressed: true }).count(), 1);
  assert.equal(await again.page.getByRole("searchbox", { name: /find service/i }).inputValue(), "select");
  assert.equal(await again.page.getByRole("separator").getAttribute("aria-valuenow"), "38");
  for (const name of ["span", "t0", "t1", "f", "open", "show", "names"])
    assert.equal(param(again.page, name), new URL(address).searchParams.get(name), name);
  assert.deepEqual([...faults, ...again.faults], []);
});

test("adjusted clocks are in the address and leave the sent times as a ghost", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser);
  await openTrace(page, skewed);
  await page.getByRole("button", { name: "Show adjusted" }).click();
  await page.getByRole("button", { name: "Show as sent" }).waitFor();
  await paramIs(page, "adj", "1");
  await screenshot("trace-adjusted");
  await page.reload();
  await page.getByRole("button", { name: "Show as sent" }).click();
  await page.getByRole("button", { name: "Show adjusted" }).waitFor();
  await paramIs(page, "adj", null);
  assert.deepEqual(faults, []);
});

test("the details tell a span's place among its peers", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await openTrace(page, failed);
  await activeRow(page).click();
  const peers = page.getByRole("link", { name: /longer than .* alike spans/ });
  await peers.waitFor();
  assert.match((await peers.getAttribute("href")) ?? "", /^\/search\?/);
  assert.deepEqual(faults, []);
});

test("flame graph: a box zooms, its address brings it back, the longest span is one press away", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await page.goto(`${stack.callchain.queryUrl}/trace/${repeated}?v=flame`);
  const boxes = page.getByRole("treeitem");
  await boxes.first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await paramIs(page, "at", /^[0-9a-f]{16}$/);
  await page.reload();
  await page.getByRole("tabpanel").getByRole("button", { name: "Whole trace" }).waitFor();
  await page.getByRole("button", { name: "Show the longest" }).click();
  await gridOf(page).waitFor();
  await paramIs(page, "span", /^[0-9a-f]{16}$/);
  assert.deepEqual(faults, []);
});

test("call graph: merged by name, service and path", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await page.goto(`${stack.callchain.queryUrl}/trace/${repeated}?v=graph`);
  const panel = page.getByRole("tabpanel");
  const nodes = panel.locator("svg [role=button]");
  await nodes.first().waitFor();
  const byName = await nodes.count();
  await panel.getByRole("button", { name: "By service" }).click();
  await paramIs(page, "by", "service");
  await panel.getByRole("group", { name: /Call graph of 4 nodes/ }).waitFor();
  assert.ok((await nodes.count()) < byName);
  await nodes.last().click();
  await paramIs(page, "node", /./);
  assert.deepEqual(faults, []);
});

for (const [width, locale, colorScheme] of [
  [1440, "en-GB", "dark"],
  [900, "zh-CN", "light"],
] as const) {
  test(`every view at ${width} px in ${locale}: nothing overflows, no serious fault for assistive tools`, { skip }, async () => {
    const { page, faults, screenshot } = await openPage(stack.browser, { width, locale, colorScheme });
    for (const [name, path] of [
      ["waterfall", `${failed}?show=path,gaps`],
      ["group", repeated],
      ["flame", `${repeated}?v=flame`],
      ["graph", `${failed}?v=graph`],
      ["statistics", `${failed}?v=statistics`],
      ["raw", `${failed}?v=raw`],
    ] as const) {
      await page.goto(`${stack.callchain.queryUrl}/trace/${path}`);
      await page.waitForLoadState("networkidle");
      if (name === "waterfall") {
        await activeRow(page).click();
        await page.getByRole("complementary").getByText("service.name", { exact: true }).first().waitFor();
      }
      await screenshot(`trace-${name}-${width}-${locale}`);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, name);
      assert.deepEqual(await seriousFaults(page), [], name);
    }
    assert.deepEqual(faults, []);
  });
}

test("links lead from a batch to its orders and back, with how long each waited", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser);
  await openTrace(page, await stack.findTraceId("service=notification"));
  await activeRow(page).click();
  const dock = page.getByRole("complementary", { name: "Span details" });
  const order = dock.getByRole("link", { name: "checkout send orders" }).first();
  await order.waitFor();
  await dock
    .getByText(/waited .* in between/)
    .first()
    .waitFor();
  await order.click();
  await dock.getByText("Linked from").waitFor();
  await dock.getByRole("link", { name: "notification process orders" }).waitFor();
  await page.getByRole("button", { name: "Links", pressed: true }).waitFor();
  await screenshot("trace-links");
  assert.deepEqual(faults, []);
});

test("two traces and two queries are compared by call path", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser);
  await openTrace(page, failed);
  await page.getByRole("button", { name: "Compare with…" }).click();
  await page
    .getByLabel("Another trace's id, or a query")
    .fill(await stack.findTraceId("service=checkout&status=unset&name=shop.Checkout%2FPlace"));
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await page.waitForURL(/\/diff\?/);
  const table = page.getByRole("table");
  await table
    .getByRole("row", { name: /send orders/ })
    .first()
    .waitFor();
  await table.getByText("new", { exact: true }).first().waitFor();
  const address = page.url();
  const rows = await table.getByRole("row").count();
  await page.getByLabel("Changes only").uncheck();
  await page.waitForURL(/all=1/);
  assert.ok((await table.getByRole("row").count()) >= rows);
  await page.getByRole("button", { name: "Largest changes" }).click();
  await page.waitForURL(/view=list/);
  await page.goto(address);
  await table
    .getByRole("row")
    .nth(rows - 1)
    .waitFor();
  await page.getByRole("button", { name: "Swap A and B" }).click();
  await table.getByText("gone", { exact: true }).first().waitFor();

  const of = (version: string): string =>
    encodeURIComponent(`{ resource.service.name = "inventory" && resource.service.version = "${version}" }`);
  await page.goto(`${stack.callchain.queryUrl}/diff?a=${of("3.1.4")}&b=${of("3.2.0")}&from=now-1h`);
  await table
    .getByRole("row", { name: /inventory/ })
    .first()
    .waitFor();
  await screenshot("diff-releases");
  assert.deepEqual(await seriousFaults(page), []);
  assert.deepEqual(faults, []);
});

test("the diff page at 900 px in Chinese, empty and with an error, is told and fits", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser, { width: 900, locale: "zh-CN", colorScheme: "dark" });
  for (const [name, query] of [
    ["empty", ""],
    ["traces", `?a=${failed}&b=${repeated}`],
  ] as const) {
    await page.goto(`${stack.callchain.queryUrl}/diff${query}`);
    await page.waitForLoadState("networkidle");
    await screenshot(`diff-${name}-900`);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, name);
    assert.deepEqual(await seriousFaults(page), [], name);
  }
  await page.goto(`${stack.callchain.queryUrl}/diff?a=${failed}&b=${"1".repeat(32)}`);
  await page.getByRole("alert").getByText("1".repeat(32)).first().waitFor();
  assert.deepEqual(faults, []);
});
