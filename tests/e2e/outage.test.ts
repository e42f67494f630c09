/** The server goes away, answers nonsense, or does not answer: every page says so, keeps what it has, and recovers. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { seriousFaults } from "../support/axe.ts";
import { openPage, skipWithoutBrowser } from "../support/browser.ts";
import type { PageStack } from "../support/page-stack.ts";
import { eventually } from "../support/process.ts";
import { openProxy, PARTIAL_REASON } from "../support/proxy.ts";
import type { FailingProxy } from "../support/proxy.ts";
import { openShop } from "../support/shop.ts";

const skip = skipWithoutBrowser;
let shop: PageStack;
let proxy: FailingProxy;
before(async () => {
  if (skip !== false) return;
  shop = await openShop();
  proxy = await openProxy(shop.callchain.queryUrl);
});
after(async () => {
  if (skip !== false) return;
  await proxy.close();
  await shop.close();
});

/** Each page with something that only an answer of the API puts there. */
const PAGES: readonly (readonly [path: string, found: (page: Page) => ReturnType<Page["locator"]>])[] = [
  ["/", (page) => page.getByRole("link", { name: "checkout", exact: true })],
  ["/search?service=checkout", (page) => page.getByRole("link", { name: "POST /checkout" }).first()],
  ["/search?view=heatmap", (page) => page.getByRole("group", { name: /Latency heatmap/ })],
  ["/search?view=aggregates", (page) => page.getByRole("link", { name: "checkout", exact: true })],
  ["/service/checkout", (page) => page.getByRole("link", { name: "api-gateway", exact: true }).first()],
  [
    `/diff?a=${encodeURIComponent('{ resource.service.version = "3.1.4" }')}&b=${encodeURIComponent('{ resource.service.version = "3.2.0" }')}`,
    (page) => page.getByRole("row", { name: /inventory/ }).first(),
  ],
  ["/map", (page) => page.getByRole("button", { name: /inventory/ }).first()],
];

/** Asks again until everything was answered: a busy server may well say once more that it is. */
async function refreshUntilWell(page: Page): Promise<void> {
  await eventually(async () => {
    await page.getByRole("button", { name: "Refresh", exact: true }).click();
    await page.locator('[aria-busy="true"]').first().waitFor({ state: "detached" });
    assert.deepEqual(await page.getByRole("alert").allInnerTexts(), []);
  });
}

for (const [path, found] of PAGES) {
  test(`${path} says that the server is away, keeps what it shows, and goes on when it is back`, { skip }, async () => {
    proxy.mode = "pass";
    const { page } = await openPage(shop.browser);
    await page.goto(proxy.url + path);
    await found(page).waitFor();
    proxy.mode = "down";
    await page.getByRole("button", { name: "Refresh", exact: true }).click();
    await page.getByText("Callchain cannot be reached").first().waitFor();
    assert.ok(await found(page).isVisible(), "what was there stays");
    proxy.mode = "broken";
    await page.getByRole("button", { name: "Try again" }).first().click();
    await page.getByText("HTTP 502 Bad Gateway").first().waitFor();
    assert.deepEqual(await seriousFaults(page), []);
    proxy.mode = "pass";
    await refreshUntilWell(page);
    assert.ok(await found(page).isVisible());
    await page.context().close();
  });

  test(`${path} opened while the server is away or slow recovers`, { skip }, async () => {
    proxy.mode = "hanging";
    const { page } = await openPage(shop.browser);
    await page.goto(proxy.url + path);
    await page.getByText("Loading…").first().waitFor();
    proxy.mode = "down";
    await page.reload();
    await page.getByText("Callchain cannot be reached").first().waitFor();
    proxy.mode = "pass";
    await refreshUntilWell(page);
    await found(page).waitFor();
    await page.context().close();
  });
}

for (const [path, found] of PAGES) {
  test(`${path} says that an answer is not everything, and why`, { skip }, async () => {
    proxy.mode = "partial";
    const { page } = await openPage(shop.browser);
    await page.goto(proxy.url + path);
    await found(page).waitFor();
    await page.getByText(`Not everything: ${PARTIAL_REASON}`).first().waitFor();
    assert.deepEqual(await seriousFaults(page), []);
    proxy.mode = "pass";
    await refreshUntilWell(page);
    await page.getByText(PARTIAL_REASON).first().waitFor({ state: "detached" });
    await page.context().close();
  });
}

test("a trace that cannot be had says why, and is there on another try", { skip }, async () => {
  const { page } = await openPage(shop.browser);
  const path = `/trace/${await shop.findTraceId("service=checkout")}`;
  const grid = page.locator('[role="treegrid"][aria-busy="false"]');
  proxy.mode = "hanging";
  await page.goto(proxy.url + path);
  await page.getByText("Loading…").first().waitFor();
  for (const [mode, said] of [
    ["down", "Callchain cannot be reached"],
    ["broken", "HTTP 502 Bad Gateway"],
  ] as const) {
    proxy.mode = mode;
    await page.goto(proxy.url + path);
    await page.getByText(said).first().waitFor();
    assert.deepEqual(await seriousFaults(page), [], mode);
    proxy.mode = "pass";
    await page.getByRole("button", { name: "Try again" }).first().click();
    await grid.getByRole("row").first().waitFor();
  }
});

test("a trace that breaks off keeps what came and says how much that is", { skip }, async () => {
  const { page } = await openPage(shop.browser);
  proxy.mode = "cut";
  await page.goto(`${proxy.url}/trace/${await shop.findTraceId("service=checkout")}`);
  await page.getByText(/Loading stopped early: \d+ of \d+ spans are shown/).waitFor();
  assert.deepEqual(await seriousFaults(page), []);
  proxy.mode = "pass";
  await page.getByRole("button", { name: "Try again" }).first().click();
  await page.locator('[role="treegrid"][aria-busy="false"]').getByRole("row").first().waitFor();
  assert.equal(await page.getByText(/Loading stopped early/).count(), 0);
});

test("the details of a span, its peers and the trace's links each fail and recover by themselves", { skip }, async () => {
  const { page } = await openPage(shop.browser);
  proxy.mode = "pass";
  await page.goto(`${proxy.url}/trace/${await shop.findTraceId("service=checkout")}`);
  const rows = page.locator('[role="treegrid"][aria-busy="false"] [role="row"]');
  await rows.nth(1).waitFor();
  await page.waitForLoadState("networkidle");
  proxy.mode = "down";
  await rows.nth(1).click();
  const dock = page.getByRole("complementary", { name: "Span details" });
  await dock.getByText("Callchain cannot be reached").first().waitFor();
  assert.ok(await dock.getByText("Self time").isVisible(), "what the page knows itself is there");
  proxy.mode = "pass";
  await dock.getByRole("button", { name: "Try again" }).first().click();
  await dock.getByText("service.name", { exact: true }).first().waitFor();
});

test("the palette finds pages while services cannot be listed", { skip }, async () => {
  proxy.mode = "pass";
  const { page } = await openPage(shop.browser);
  await page.goto(`${proxy.url}/open`);
  await page.waitForLoadState("networkidle");
  proxy.mode = "down";
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByText(/Services could not be listed/).waitFor();
  await page.getByRole("combobox").fill("map");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/map/);
  proxy.mode = "pass";
});

test("a service that is not there and an address without a page say so", { skip }, async () => {
  proxy.mode = "pass";
  const { page } = await openPage(shop.browser);
  await page.goto(`${proxy.url}/service/nothing-of-the-kind`);
  await page.getByText("nothing-of-the-kind sent no spans in this time range").waitFor();
  assert.deepEqual(await seriousFaults(page), []);
  await page.goto(`${proxy.url}/no/such/page`);
  await page.getByText("There is no page at this address").waitFor();
});
