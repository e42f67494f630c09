/** The service map and the page of one service: found, focused, compared, and opened again by their addresses. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seriousFaults } from "../support/axe.ts";
import { skipWithoutBrowser } from "../support/browser.ts";
import type { PageStack } from "../support/page-stack.ts";
import { openShop } from "../support/shop.ts";

const skip = skipWithoutBrowser;
let shop: PageStack;
before(async () => {
  if (skip === false) shop = await openShop();
});
after(async () => {
  if (skip === false) await shop.close();
});

const open: PageStack["open"] = (...args) => shop.open(...args);

test("a node is focused, an edge opens its example traces, and the address says both", { skip }, async () => {
  const { page, faults } = await open("/map");
  const canvas = page.getByRole("group", { name: /Service graph/ });
  await canvas.getByRole("button", { name: /^checkout .*show what is around/ }).click();
  await page.waitForURL(/focus=service:checkout/);
  await canvas
    .getByRole("button", { name: /^catalog/ })
    .first()
    .waitFor({ state: "detached" });
  const edge = canvas.getByRole("button", { name: /^checkout calls payment/ });
  await edge.focus();
  await page.keyboard.press("Enter");
  const detail = page.getByRole("region", { name: "Selected call" });
  await detail.waitFor();
  const again = await open(`/map${new URL(page.url()).search}`);
  await again.page.getByRole("region", { name: "Selected call" }).waitFor();
  await page.keyboard.press("Escape");
  await detail.waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.waitForURL((url) => !url.searchParams.has("focus"));
  await again.page
    .getByRole("link", { name: /^[0-9a-f]{32}$/ })
    .first()
    .click();
  await again.page.getByRole("treegrid").waitFor();
  assert.deepEqual([...faults, ...again.faults], []);
});

test("nodes stay where they are when the page asks again", { skip }, async () => {
  const { page } = await open("/map");
  const node = page
    .getByRole("group", { name: /Service graph/ })
    .getByRole("button", { name: /^inventory .*show what is around/ });
  await node.waitFor();
  const before = await node.getAttribute("transform");
  const answered = page.waitForResponse(/\/api\/v1\/dependencies/);
  await page.keyboard.press("r");
  await answered;
  await page.locator('[aria-busy="true"]').first().waitFor({ state: "detached" });
  assert.equal(await node.getAttribute("transform"), before);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(
    `the matrix, a comparison and the service page have no serious fault, ${colorScheme}, in both languages`,
    { skip },
    async () => {
      const { page, faults, screenshot } = await open("/map?view=matrix&metric=p95", { colorScheme });
      await page
        .getByRole("button", { name: /^checkout calls payment/ })
        .first()
        .waitFor();
      await screenshot(`matrix-${colorScheme}`);
      assert.deepEqual(await seriousFaults(page), []);
      await page.goto(`${shop.callchain.queryUrl}/map?from=now-20m&compare=before`);
      await page.getByText("new against the compared range").waitFor();
      await page
        .locator("td .change", { hasText: /[+−×±]/ })
        .first()
        .waitFor();
      await screenshot(`compare-${colorScheme}`);
      assert.deepEqual(await seriousFaults(page), []);

      const narrow = await open("/service/checkout", { colorScheme, width: 900, locale: "zh-CN" });
      await narrow.page.getByRole("heading", { name: "被调用方" }).waitFor();
      // Among the called, and among what the critical path is spent in.
      await narrow.page.getByRole("link", { name: "payment", exact: true }).first().waitFor();
      assert.deepEqual(await seriousFaults(narrow.page), []);
      assert.deepEqual([...faults, ...narrow.faults], []);
    },
  );
}

test("the service page says how much of the critical path is its own, and whose the rest is", { skip }, async () => {
  const { page, faults, screenshot } = await open("/service/checkout");
  await page.getByText(/of the critical path of its traces is spent in checkout itself/).waitFor();
  const panel = page.getByRole("region", { name: "Critical path" });
  await panel.getByRole("link", { name: "POST /checkout" }).first().waitFor();
  await screenshot("critical-path");
  assert.deepEqual(await seriousFaults(page), []);
  assert.deepEqual(faults, []);
});

test("a dot on the latency chart opens its trace at its span", { skip }, async () => {
  const { page, faults } = await open("/service/checkout");
  const dot = page.getByRole("link", { name: /example trace/i }).first();
  await dot.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/trace\/[0-9a-f]{32}\?span=[0-9a-f]{16}/);
  await page.getByRole("treegrid").waitFor();
  assert.deepEqual(faults, []);
});
