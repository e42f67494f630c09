/** What a person does: an exporter is pointed at Callchain, the page is opened, the call is found and read. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { Shop } from "@callchain/deploy/demo/demo.ts";
import { sendSpans } from "@callchain/deploy/demo/sender.ts";
import { seriousFaults } from "../support/axe.ts";
import { openPage, skipWithoutBrowser } from "../support/browser.ts";
import { openPageStack, type PageStack } from "../support/page-stack.ts";
import { ROOT, eventually } from "../support/process.ts";

const skip = skipWithoutBrowser;
let stack: PageStack;
before(async () => {
  if (skip === false) stack = await openPageStack();
});
after(async () => {
  if (skip === false) await stack.close();
});

/** Whether every canvas has a pixel that is not transparent. Scripts for the page are texts: this project has no DOM types here. */
async function isPainted(page: Page): Promise<boolean> {
  const painted: unknown = await page.evaluate(`[...document.querySelectorAll("canvas")].every((canvas) =>
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value !== 0))`);
  return painted === true;
}

async function waitForRowCount(page: Page, count: number): Promise<void> {
  await page.waitForFunction(`document.querySelector('[role="treegrid"]')?.getAttribute("aria-rowcount") === "${count}"`);
}

test("an empty page shows the endpoint, and the last rejected request with its reason", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser);
  await page.goto(stack.callchain.queryUrl);
  await page.getByText(stack.callchain.otlpHttpUrl).first().waitFor();
  const refused = await fetch(`${stack.callchain.otlpHttpUrl}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}',
  });
  assert.equal(refused.status, 400);
  await page.reload();
  await page.getByText(/xyz/).first().waitFor();
  await screenshot("empty");
  const languages = page.getByRole("group", { name: "Language" });
  for (const name of ["Python", "Java", "Go", ".NET", "curl", "Node.js"]) {
    await languages.getByRole("button", { name, exact: true }).click();
    await page.locator("pre", { hasText: stack.callchain.otlpHttpUrl }).waitFor();
    await page.waitForURL((url) => url.searchParams.get("with") === name);
  }
  await page.goto(`${stack.callchain.queryUrl}/?with=Go`);
  await page.locator("pre", { hasText: "otlptracehttp.New" }).waitFor();
  assert.deepEqual(await seriousFaults(page), []);
  for (const path of ["/search", "/search?view=heatmap", "/search?view=aggregates", "/map"]) {
    await page.goto(stack.callchain.queryUrl + path);
    await page.locator(".empty .reason").first().waitFor();
    assert.deepEqual(await seriousFaults(page), [], path);
  }
  assert.deepEqual(faults, []);
});

test("from an SDK's exporter to the waterfall and back by its address", { skip }, async () => {
  await promisify(execFile)(process.execPath, [join(ROOT, "tests/support/sdk-app.ts"), "http/protobuf"], {
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: stack.callchain.otlpHttpUrl },
  });
  await eventually(() => stack.findTraceId("service=sdk-http-protobuf"));
  const { page, faults, screenshot } = await openPage(stack.browser);
  await page.goto(stack.callchain.queryUrl);
  await page.getByRole("link", { name: /traces of sdk-http-protobuf/i }).click();
  await page.getByRole("link", { name: "GET /orders", exact: true }).click();
  const grid = page.getByRole("treegrid");
  await grid.waitFor();
  assert.equal(await grid.getAttribute("aria-rowcount"), "2");
  const rows = grid.getByRole("row");
  assert.equal(await rows.nth(1).getAttribute("aria-level"), "2");
  assert.ok(await isPainted(page), "the bars are drawn");

  await rows.nth(1).click();
  const dock = page.getByRole("complementary", { name: /span/i });
  await dock.getByText("db.system.name", { exact: true }).first().waitFor();
  await dock.getByText("deadlock detected").first().waitFor();
  await screenshot("sdk-trace");
  await page.waitForURL(/span=[0-9a-f]{16}/);
  const address = page.url();
  const again = await openPage(stack.browser);
  await again.page.goto(address);
  await again.page.getByText("db.system.name", { exact: true }).first().waitFor();
  assert.deepEqual([...faults, ...again.faults], []);
});

test("the keyboard alone walks, folds and opens the tree", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await page.goto(`${stack.callchain.queryUrl}/trace/${await stack.findTraceId("service=sdk-http-protobuf")}`);
  const grid = page.getByRole("treegrid");
  await grid.getByRole("row").first().waitFor();
  await grid.getByRole("row").first().focus();
  await page.keyboard.press("ArrowLeft");
  await waitForRowCount(page, 1);
  await page.keyboard.press("ArrowRight");
  await waitForRowCount(page, 2);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByText("deadlock detected").first().waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual(faults, []);
});

test("the demo's shop: services, N+1, retries, missing parent and the map", { skip }, async () => {
  const shop = new Shop(1);
  const nowMs = Date.now();
  await sendSpans(
    stack.callchain.otlpHttpUrl,
    shop.traces(Array.from({ length: 400 }, (_, index) => nowMs - 3_000_000 + index * 7000)),
  );
  await eventually(() => stack.findTraceId("service=notification"));
  const { page, faults, screenshot } = await openPage(stack.browser);

  await page.goto(stack.callchain.queryUrl);
  await page.getByRole("link", { name: "checkout", exact: true }).waitFor();
  await screenshot("services");

  await page.goto(`${stack.callchain.queryUrl}/trace/${await stack.findTraceId("service=orders&name=GET%20%2Forders")}`);
  await page.getByText(/N\+1/).first().waitFor();
  await screenshot("n-plus-one");

  await page.goto(`${stack.callchain.queryUrl}/search?service=checkout&sort=slowest`);
  await page.getByRole("link", { name: "POST /checkout" }).first().waitFor();
  await screenshot("search");

  await page.goto(`${stack.callchain.queryUrl}/map`);
  await page
    .getByRole("button", { name: /inventory/ })
    .first()
    .waitFor();
  assert.ok((await page.getByRole("button", { name: /payment/ }).count()) > 0, "payment is on the map");
  await screenshot("map");
  assert.deepEqual(faults, []);
});

test("the services page is found again by its address, and by its keys", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await page.goto(stack.callchain.queryUrl);
  const rows = page.getByRole("row");
  await page.getByRole("link", { name: "checkout", exact: true }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("cat");
  await page.waitForURL(/filter=cat/);
  await page.getByRole("link", { name: "checkout", exact: true }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "p95" }).click();
  await page.waitForURL(/sort=/);
  const address = page.url();
  const count = await rows.count();
  const again = await openPage(stack.browser);
  await again.page.goto(address);
  await again.page.getByRole("link", { name: "catalog", exact: true }).waitFor();
  assert.equal(await again.page.getByRole("row").count(), count);
  assert.equal(await again.page.getByRole("columnheader", { name: "p95" }).getAttribute("aria-sort"), "descending");
  const answered = again.page.waitForResponse(/\/api\/v1\/services/);
  await again.page.keyboard.press("r");
  await answered;
  await again.page.keyboard.press("?");
  const help = again.page.getByRole("dialog", { name: "Help: services" });
  await help.waitFor();
  await help.getByLabel("Single-key shortcuts are on").uncheck();
  await again.page.keyboard.press("Escape");
  await help.waitFor({ state: "detached" });
  await again.page.keyboard.press("?");
  await again.page.keyboard.press("/");
  assert.equal(await again.page.getByRole("dialog").count(), 0);
  assert.equal(await again.page.locator("input:focus").count(), 0);
  assert.deepEqual([...faults, ...again.faults], []);
});

test("at 900 px the header keeps to one row, and an explicit time range is cut rather than it", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser, { width: 900 });
  for (const range of ["", "?from=2026-01-09T23:06:40Z&to=2026-01-10T23:06:40Z"]) {
    await page.goto(`${stack.callchain.queryUrl}/map${range}`);
    const header = await page.getByRole("banner").boundingBox();
    assert.ok(header !== null && header.height < 50, `${String(header?.height)} px high`);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0);
  }
  assert.deepEqual(faults, []);
});

test("a service has one colour on every page of a browser", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  const colourOf = async (path: string, swatch: string): Promise<string> => {
    await page.goto(stack.callchain.queryUrl + path);
    const found = page.locator(swatch).first();
    await found.waitFor();
    return (await found.getAttribute("style")) ?? "";
  };
  const traceId = await stack.findTraceId("service=checkout&status=error");
  const first = await colourOf("/", "tr:has(a:text-is('checkout')) td.name span[style]");
  assert.match(first, /^background: ?\S+/);
  for (const [path, swatch] of [
    [`/trace/${traceId}`, ".services li:has-text('checkout') .swatch"],
    [`/trace/${traceId}?v=statistics`, "tr:has(strong:text-is('checkout')) .swatch"],
    ["/service/checkout", "h1 .dot"],
    [`/trace/${await stack.findTraceId("service=checkout&status=unset")}`, ".services li:has-text('checkout') .swatch"],
  ] as const) {
    assert.equal(await colourOf(path, swatch), first, path);
  }
  assert.deepEqual(faults, []);
});

const PAGES = [
  "/",
  "/search",
  "/search?view=heatmap",
  "/search?view=aggregates",
  "/map",
  "/map?view=matrix",
  "/map?focus=service:checkout&edge=service:checkout|service:payment|call",
  "/service/checkout",
  "/service/nobody",
  "/trace/{id}",
  "/trace/{id}?v=flame",
  "/trace/{id}?v=graph",
  "/trace/{id}?v=statistics",
  "/trace/{id}?v=raw",
  "/diff",
  "/diff?a={id}&b={id}&all=1",
  "/open",
  "/no/such/page",
];

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1440, 900]) {
    test(
      `every page, ${colorScheme} at ${width} px: nothing overflows, no serious fault for assistive tools`,
      { skip },
      async () => {
        const traceId = await stack.findTraceId("service=checkout&status=error");
        for (const path of PAGES) {
          const { page, faults, screenshot } = await openPage(stack.browser, {
            width,
            colorScheme,
            locale: width === 900 ? "zh-CN" : "en-GB",
          });
          await page.goto(stack.callchain.queryUrl + path.replaceAll("{id}", traceId));
          await page.waitForLoadState("networkidle");
          await screenshot(`${path.replaceAll(/\W+/g, "-").replace(/^-|-$/g, "") || "home"}-${colorScheme}-${width}`);
          const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
          assert.equal(overflow, 0, `${path} is ${String(overflow)} px wider than the window`);
          assert.deepEqual(await seriousFaults(page), [], path);
          assert.deepEqual(faults, [], path);
          await page.context().close();
        }
      },
    );
  }
}
