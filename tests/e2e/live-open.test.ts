/** The live tail and the files that are opened, in a real browser. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { after, before, test } from "node:test";
import { buildTracesJson, encodeTraces } from "@callchain/schemas/otlp/export.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { seriousFaults } from "../support/axe.ts";
import { openPage, skipWithoutBrowser } from "../support/browser.ts";
import { openPageStack, type PageStack } from "../support/page-stack.ts";
import { buildSpan, spanIdOf, traceIdOf } from "../support/store-spans.ts";

const skip = skipWithoutBrowser;
let stack: PageStack;
before(async () => {
  if (skip === false) stack = await openPageStack();
});
after(async () => {
  if (skip === false) await stack.close();
});

let spanCount = 0;
async function send(name: string, count: number, rest: Partial<Span> = {}): Promise<void> {
  const spans = Array.from({ length: count }, () => {
    spanCount += 1;
    const startNano = unixNanoFromMs(Date.now());
    return buildSpan({ traceId: traceIdOf(spanCount), spanId: spanIdOf(spanCount), name, startNano, ...rest });
  });
  const response = await fetch(`${stack.callchain.otlpHttpUrl}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf" },
    body: Buffer.from(encodeTraces(spans)),
  });
  assert.equal(response.status, 200, await response.text());
}
const FAILED = { status: { code: "error", message: "" }, service: "payment", kind: "server" } as const;

test("the live page shows spans as they come, stands still on a pause, and leads to the trace", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser);
  await page.goto(`${stack.callchain.queryUrl}/live`);
  await page.getByText("Following", { exact: true }).waitFor();
  await page.getByText("Waiting for spans").waitFor();
  await screenshot("live-waiting");
  await send("GET /cart", 3);
  await send("POST /pay", 2, FAILED);
  const rows = page.getByRole("row");
  await page.getByRole("link", { name: "POST /pay" }).nth(1).waitFor();
  await page.getByRole("link", { name: "GET /cart" }).nth(2).waitFor();
  assert.equal(await rows.count(), 6);
  await screenshot("live");

  await page.keyboard.press("p");
  await page.getByText("Paused", { exact: true }).waitFor();
  await send("GET /held", 4);
  const held = page.getByRole("button", { name: "4 new spans" });
  await held.waitFor();
  assert.equal(await rows.count(), 6);
  await held.click();
  await page.getByRole("link", { name: "GET /held" }).nth(3).waitFor();
  assert.equal(await rows.count(), 10);
  assert.match(await rows.nth(1).innerText(), /GET \/held/);

  await page.getByRole("textbox", { name: "Query" }).fill("{ status = error }");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=/);
  await page.getByText("Nothing that matches has been stored").waitFor();
  await send("GET /cart", 1);
  await send("POST /refund", 1, FAILED);
  await page.getByRole("link", { name: "POST /refund" }).click();
  await page.getByRole("treegrid").waitFor();
  assert.match(page.url(), /\/trace\/[0-9a-f]{32}\?span=/);
  assert.deepEqual(faults, []);
});

test("the live page is found again by its address; p does nothing while single keys are off", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await page.goto(`${stack.callchain.queryUrl}/live?q=${encodeURIComponent("{ status = error }")}`);
  await page.getByText("Following", { exact: true }).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Query" }).inputValue(), "{ status = error }");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Help: live tail" }).getByLabel("Single-key shortcuts are on").uncheck();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("p");
  await page.keyboard.press("?");
  assert.equal(await page.getByText("Paused", { exact: true }).count(), 0);
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.deepEqual(faults, []);
});

test("the live page says what is wrong with a query, and connects again by itself after an outage", { skip }, async () => {
  const { page, screenshot } = await openPage(stack.browser, { colorScheme: "dark", locale: "zh-CN", width: 900 });
  await page.goto(`${stack.callchain.queryUrl}/live?q=${encodeURIComponent("{ duration > }")}`);
  await page.getByText("请求被拒绝").waitFor();
  await page.getByRole("alert").getByText(/q/).first().waitFor();
  await page.goto(`${stack.callchain.queryUrl}/live`);
  await page.getByText("跟踪中", { exact: true }).waitFor();
  await send("GET /before", 1);
  await page.getByRole("link", { name: "GET /before" }).waitFor();
  await stack.outage(() => page.getByText("连接已断开").first().waitFor());
  await page.getByText("跟踪中", { exact: true }).waitFor();
  await send("GET /again", 2, FAILED);
  await page.getByRole("link", { name: "GET /again" }).nth(1).waitFor();
  assert.equal(await page.getByRole("link", { name: "GET /before" }).count(), 1);
  await screenshot("live-dark-900");
  const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.equal(overflow, 0);
});

const ORDERS = traceIdOf(500_000);
/** A trace in OTLP JSON that no server has. */
function buildFile(): string {
  const startNano = unixNanoFromMs(Date.now());
  const root = buildSpan({ traceId: ORDERS, spanId: spanIdOf(1), name: "GET /orders", startNano, durationNano: 9_000_000n });
  const child = buildSpan({
    ...FAILED,
    traceId: ORDERS,
    spanId: spanIdOf(2),
    parentSpanId: spanIdOf(1),
    name: "charge",
    startNano,
    attributes: [{ key: "card.kind", value: { type: "string", value: "debit" } }],
  });
  return JSON.stringify(buildTracesJson([root, child]));
}
const ZIPKIN = JSON.stringify([
  {
    traceId: "ab".repeat(16),
    id: "b1",
    name: "get /zip",
    kind: "SERVER",
    timestamp: 1_700_000_000_000_000,
    duration: 900,
    localEndpoint: { serviceName: "api" },
  },
]);

test(
  "a file is opened without the server: its traces, a waterfall, a span, and what is wrong with a bad one",
  { skip },
  async () => {
    const { page, faults, screenshot } = await openPage(stack.browser);
    await page.goto(`${stack.callchain.queryUrl}/open`);
    const input = page.locator('input[type="file"]');
    await page.getByRole("button", { name: "Choose a file" }).waitFor();
    await screenshot("open-empty");
    // Every page of the app that the test needs is loaded before the network goes away.
    await page.goto(`${stack.callchain.queryUrl}/trace/${traceIdOf(1)}`);
    await page.getByRole("treegrid").waitFor();
    await page.getByRole("link", { name: "Open", exact: true }).click();
    const asked: string[] = [];
    page.on("request", (sent) => {
      if (sent.url().includes("/api/")) asked.push(sent.url());
    });

    await input.setInputFiles({ name: "orders.json.gz", mimeType: "application/gzip", buffer: gzipSync(`${buildFile()}\n`) });
    await page.getByRole("link", { name: "GET /orders" }).waitFor();
    await page.getByText(/OTLP JSON · 1 trace/).waitFor();
    await input.setInputFiles({ name: "bad.json", mimeType: "application/json", buffer: Buffer.from('{"spans":1,"x":2}') });
    await page
      .getByRole("alert")
      .getByText(/given an object with "spans", "x"/)
      .waitFor();
    await screenshot("open-bad");
    await input.setInputFiles({ name: "zipkin.json", mimeType: "application/json", buffer: Buffer.from(ZIPKIN) });
    await page.getByRole("link", { name: "get /zip" }).waitFor();
    await input.setInputFiles({ name: "orders.json", mimeType: "application/json", buffer: Buffer.from(buildFile()) });
    await page.getByRole("link", { name: "GET /orders" }).click();
    const grid = page.getByRole("treegrid");
    await grid.waitFor();
    assert.equal(await grid.getAttribute("aria-rowcount"), "2");
    await grid.getByRole("row").nth(1).click();
    await page.getByText("card.kind", { exact: true }).first().waitFor();
    await screenshot("open-trace");
    await page.getByRole("tab", { name: /raw/i }).click();
    await page.getByText('"card.kind"').waitFor();
    assert.deepEqual(asked, [], "nothing is asked of the server, and nothing sent to it");
    assert.deepEqual(faults, []);
  },
);

test("a file needs no connection once the page for files is there, and a reload of the tab still has it", { skip }, async () => {
  const { page, faults } = await openPage(stack.browser);
  await page.goto(`${stack.callchain.queryUrl}/open`);
  await page.waitForLoadState("networkidle");
  const missed: string[] = [];
  page.on("requestfailed", (sent) => missed.push(new URL(sent.url()).pathname));
  await page.context().setOffline(true);
  await page.locator('input[type="file"]').setInputFiles({
    name: "orders.json",
    mimeType: "application/json",
    buffer: Buffer.from(buildFile()),
  });
  await page.getByRole("link", { name: "GET /orders" }).click();
  const grid = page.locator('[role="treegrid"][aria-busy="false"]');
  await grid.getByRole("row").nth(1).click();
  await page.getByText("card.kind", { exact: true }).first().waitFor();
  for (const [view, seen] of [
    ["Flame", page.getByRole("treeitem").first()],
    ["Call graph", page.getByRole("tabpanel").locator("svg [role=button]").first()],
    ["Statistics", page.getByRole("cell", { name: /charge/ })],
    ["Raw JSON", page.getByText('"card.kind"')],
  ] as const) {
    await page.getByRole("tab", { name: view }).click();
    await seen.waitFor();
  }
  // The browser itself asks for the icon of each address.
  assert.deepEqual(
    missed.filter((path) => path !== "/favicon.svg"),
    [],
  );

  await page.context().setOffline(false);
  await page.getByRole("tab", { name: "Waterfall" }).click();
  const asked: string[] = [];
  page.on("request", (sent) => {
    if (sent.url().includes("/api/")) asked.push(sent.url());
  });
  await page.reload();
  await grid.getByRole("row").nth(1).waitFor();
  await page.getByText("card.kind", { exact: true }).first().waitFor();
  await page.getByRole("link", { name: "Open", exact: true }).click();
  await page.getByText(/OTLP JSON · 1 trace/).waitFor();
  assert.deepEqual(asked, [], "what the tab has is asked of nobody");
  await page.getByRole("button", { name: "Close the file" }).click();
  await page.reload();
  await page.getByText("Where such files come from").waitFor();
  assert.deepEqual(
    faults.filter((fault) => !fault.includes("ERR_INTERNET_DISCONNECTED")),
    [],
  );
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`the live page and the page for files have no serious fault, ${colorScheme}, wide and narrow`, { skip }, async () => {
    for (const width of [1440, 900]) {
      const { page, faults, screenshot } = await openPage(stack.browser, {
        colorScheme,
        width,
        locale: width === 900 ? "zh-CN" : "en-GB",
      });
      const check = async (name: string): Promise<void> => {
        await screenshot(`${name}-${colorScheme}-${width}`);
        assert.deepEqual(await seriousFaults(page), [], `${name} at ${width}`);
        assert.equal(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, name);
      };
      await page.goto(`${stack.callchain.queryUrl}/live`);
      await page.locator(".following").waitFor();
      await check("live-waiting");
      await send("GET /cart", 2);
      await send("POST /pay", 2, FAILED);
      await page.getByRole("link", { name: "POST /pay" }).nth(1).waitFor();
      await page.getByRole("link", { name: "GET /cart" }).nth(1).waitFor();
      await check("live");
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
      await check("live-help");
      await page.goto(`${stack.callchain.queryUrl}/open`);
      await page.locator(".sources").waitFor();
      await check("open");
      await page
        .locator('input[type="file"]')
        .setInputFiles({ name: "orders.json", mimeType: "application/json", buffer: Buffer.from(buildFile()) });
      await page.getByRole("link", { name: "GET /orders" }).waitFor();
      await check("open-file");
      assert.deepEqual(faults, []);
      await page.context().close();
    }
  });
}

test("the page for files at 900 px in the dark, in Chinese", { skip }, async () => {
  const { page, faults, screenshot } = await openPage(stack.browser, { colorScheme: "dark", locale: "zh-CN", width: 900 });
  await page.goto(`${stack.callchain.queryUrl}/open`);
  await page
    .locator('input[type="file"]')
    .setInputFiles({ name: "zipkin.json", mimeType: "application/json", buffer: Buffer.from(ZIPKIN) });
  await page.getByRole("link", { name: "get /zip" }).waitFor();
  await screenshot("open-dark-900");
  const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.equal(overflow, 0);
  assert.deepEqual(faults, []);
});
