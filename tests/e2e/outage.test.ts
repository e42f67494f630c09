/** The server goes away, answers nonsense, or does not answer: every page says so, keeps what it has, and recovers. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { seriousFaults } from "../support/axe.ts";
import { openPage, skipWithoutBrowser } from "../support/browser.ts";
import type { PageStack } from "../support/page-stack.ts";
import { eventually } from "../support/process.ts";
import { openProxy } from "../support/proxy.ts";
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

test("a service that is not there and an address without a page say so", { skip }, async () => {
  proxy.mode = "pass";
  const { page } = await openPage(shop.browser);
  await page.goto(`${proxy.url}/service/nothing-of-the-kind`);
  await page.getByText("nothing-of-the-kind sent no spans in this time range").waitFor();
  assert.deepEqual(await seriousFaults(page), []);
  await page.goto(`${proxy.url}/no/such/page`);
  await page.getByText("There is no page at this address").waitFor();
});
