/** Spans that mean harm, or that nobody thought of: nothing of theirs runs, the layout stands, and all of them draw. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { findPage } from "@callchain/deploy/page.ts";
import type { Attribute, Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { openBrowser, openPage, skipWithoutBrowser, type WatchedPage } from "../support/browser.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { buildSpan, int, spanIdOf, storeSpans, text, traceIdOf } from "../support/store-spans.ts";

const skip = skipWithoutBrowser;
let stack: QueryStack;
let browser: Browser;
before(async () => {
  if (skip !== false) return;
  stack = await startQueryStack(undefined, undefined, findPage());
  browser = await openBrowser();
});
after(async () => {
  if (skip !== false) return;
  await browser.close();
  await stack.stop();
});

const HOSTILE = [
  "<script>window.ran = 1</script>",
  "W".repeat(4000),
  '<img src=x onerror="window.ran = 1">',
  '"><svg onload=window.ran=1>',
  "' onmouseover='window.ran=1",
  "javascript:window.ran=1",
  "</title></style></textarea><script>window.ran=1</script>",
  "{{constructor.constructor('window.ran=1')()}}",
  "${window.ran=1}",
  "red; background: url(http://127.0.0.1:1/)",
  "__proto__",
  "constructor",
  "\u202egnol\u202c \u200b\ufeff\u2066",
  "\u0001\u0007\u001b[31m\u007f\ufffd",
  "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!̵̗͕̦̪̮̰͚̼̦̗̋̏̌".repeat(4),
  "👩‍👩‍👧‍👦".repeat(40),
  "line\nbreak\r\n\ttab",
  "%s%n%00../../etc/passwd",
  "",
];
const NOW_NANO = BigInt(Date.now()) * 1_000_000n;
const START = NOW_NANO - 60_000_000_000n;

function hostileSpan(payload: string, number: number, trace: number): Span {
  const both: Attribute[] = [
    { key: payload, value: text(payload) },
    { key: "url.full", value: text(payload) },
    {
      key: "list",
      value: { type: "array", value: [text(payload), { type: "map", value: [{ key: payload, value: text(payload) }] }] },
    },
  ];
  const exception: Attribute[] = [
    { key: "exception.type", value: text(payload) },
    { key: "exception.message", value: text(payload) },
    {
      key: "exception.stacktrace",
      value: text(`${payload}\n    at ${payload} (node:internal/x)\n    at ${payload} (node:internal/y)`),
    },
  ];
  const timeNano = unixNano(START + 1000n);
  return buildSpan({
    traceId: traceIdOf(trace),
    spanId: spanIdOf(number),
    parentSpanId: number === 1 ? null : spanIdOf(1),
    name: payload,
    service: payload,
    kind: "client",
    startNano: unixNano(START + BigInt(number) * 1_000_000n),
    durationNano: number === 1 ? 60_000_000n : 900_000n,
    status: { code: "error", message: payload },
    traceState: payload,
    attributes: both,
    events: [
      { timeNano, name: payload, attributes: both, droppedAttributesCount: 0 },
      { timeNano, name: "exception", attributes: exception, droppedAttributesCount: 0 },
    ],
    links: [
      { traceId: traceIdOf(99), spanId: spanIdOf(7), traceState: payload, flags: 0, attributes: both, droppedAttributesCount: 0 },
    ],
    resourceAttributes: { "service.version": text(payload), "host.name": text(payload) },
    scope: { name: payload, version: payload, attributes: both, droppedAttributesCount: 0, schemaUrl: payload },
  });
}

/** Notes reports of the content security policy before any script of the page runs. */
const WATCH = `
  window.reports = [];
  addEventListener("securitypolicyviolation", (event) => window.reports.push(event.violatedDirective + " " + event.blockedURI));
`;

async function open(path: string, width = 1440): Promise<WatchedPage> {
  const watched = await openPage(browser, { width });
  await watched.page.addInitScript(WATCH);
  await watched.page.goto(stack.url + path);
  return watched;
}

/** Nothing of the spans' ran, nothing was tried, and the page is as wide as its window. */
async function assertUnharmed({ page, faults }: WatchedPage, where: string): Promise<void> {
  assert.equal(await page.evaluate("window.ran"), undefined, `${where}: a script of a span ran`);
  assert.deepEqual(await page.evaluate("window.reports"), [], where);
  assert.equal(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, where);
  assert.deepEqual(faults, [], where);
}

async function waitForRows(page: Page, count: number): Promise<void> {
  await page.locator(`[role="treegrid"][aria-rowcount="${count}"][aria-busy="false"]`).waitFor();
  await page.locator('[role="row"]').first().waitFor();
}

/** Pixels of the waterfall's canvas that are drawn. */
async function paintedCount(page: Page): Promise<number> {
  return Number(
    await page.evaluate(`(() => {
      const canvas = document.querySelector('[role="treegrid"] canvas');
      return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.filter((value) => value !== 0).length;
    })()`),
  );
}

test("hostile texts in every field of a span stay texts, on every page and view", { skip }, async () => {
  await storeSpans(
    stack.writer,
    HOSTILE.map((payload, at) => hostileSpan(payload, at + 1, 1)),
  );
  for (const width of [1440, 900]) {
    const watched = await open(`/trace/${traceIdOf(1)}`, width);
    const { page } = watched;
    await waitForRows(page, HOSTILE.length);
    await assertUnharmed(watched, `waterfall at ${width}`);
    const heights: unknown = await page.evaluate(
      `[...new Set([...document.querySelectorAll('[role="row"]')].map((row) => row.getBoundingClientRect().height))].length`,
    );
    assert.equal(heights, 1, "every row is as high as the others");
    const dock = page.getByRole("complementary", { name: "Span details" });
    await page.locator('[role="row"]').first().focus();
    await page.keyboard.press("Enter");
    // A narrow page differs in its layout alone, which the first texts try.
    for (const [at, payload] of HOSTILE.slice(0, width === 900 ? 2 : HOSTILE.length).entries()) {
      if (at > 0) await page.keyboard.press("ArrowDown");
      await dock.getByText(spanIdOf(at + 1), { exact: true }).waitFor();
      await dock.getByText("Instrumentation scope").waitFor();
      await assertUnharmed(watched, `details of ${JSON.stringify(payload).slice(0, 60)} at ${width}`);
    }
    await watched.screenshot(`hostile-${width}`);
    for (const view of ["flame", "graph", "statistics", "raw"]) {
      await page.goto(`${stack.url}/trace/${traceIdOf(1)}?v=${view}`);
      await page.waitForLoadState("networkidle");
      await assertUnharmed(watched, `${view} at ${width}`);
    }
    for (const path of width === 900
      ? []
      : ["/", "/search?from=now-1h", "/map", `/service/${encodeURIComponent(HOSTILE[0] ?? "")}`]) {
      await page.goto(stack.url + path);
      await page.waitForLoadState("networkidle");
      await assertUnharmed(watched, `${path} at ${width}`);
    }
    await page.context().close();
  }
});

test(
  "a value of a megabyte, ten thousand attributes and ten thousand events are shown in part, and more on demand",
  { skip },
  async () => {
    const many = Array.from({ length: 10_000 }, (_, at) => ({ key: `key.${at}`, value: int(BigInt(at)) }));
    const large = { key: "large", value: text("0123456789".repeat(100_000)) };
    const events = Array.from({ length: 10_000 }, (_, at) => ({
      timeNano: unixNano(START + BigInt(at) * 100n),
      name: at % 2 === 0 ? "exception" : `event ${at}`,
      attributes: at % 2 === 0 ? [{ key: "exception.stacktrace", value: text("Error: no\n    at f (a.ts:1:2)") }] : [],
      droppedAttributesCount: 0,
    }));
    await storeSpans(stack.writer, [
      buildSpan({
        traceId: traceIdOf(2),
        startNano: unixNano(START),
        attributes: [large, ...many],
        events,
        name: "large".repeat(50_000),
      }),
    ]);
    const watched = await open(`/trace/${traceIdOf(2)}?span=${spanIdOf(1)}`);
    const dock = watched.page.getByRole("complementary", { name: /span/i });
    await dock
      .getByText(/^key\.\d+/)
      .first()
      .waitFor();
    const count = Number(await watched.page.evaluate("document.querySelectorAll('*').length"));
    assert.ok(count < 12_000, `${count} elements`);
    await dock.getByPlaceholder("Filter attributes").fill("key.9999");
    await dock.getByText(/^key\.9999/).waitFor();
    await assertUnharmed(watched, "large span");
    await watched.screenshot("hostile-large");
    await watched.page.context().close();
  },
);

test("no time at all, times that end before they start, and the year 2262 draw", { skip }, async () => {
  const nothing = Array.from({ length: 6 }, (_, at) =>
    buildSpan({
      traceId: traceIdOf(3),
      spanId: spanIdOf(at + 1),
      parentSpanId: at === 0 ? null : spanIdOf(1),
      name: `moment ${at}`,
      startNano: unixNano(START),
      durationNano: 0n,
      anomalies: 1,
    }),
  );
  const last = 9_223_372_036_854_775_807n;
  const late = [0n, 10n, 1000n].map((before, at) =>
    buildSpan({
      traceId: traceIdOf(4),
      spanId: spanIdOf(at + 1),
      parentSpanId: at === 0 ? null : spanIdOf(1),
      name: `late ${at}`,
      startNano: unixNano(last - 1_000_000n - before),
      durationNano: at === 0 ? 1_000_000n : 5n,
      anomalies: 2,
    }),
  );
  await storeSpans(stack.writer, [...nothing, ...late]);
  for (const [trace, rows] of [
    [3, 6],
    [4, 3],
  ] as const) {
    const watched = await open(`/trace/${traceIdOf(trace)}?span=${spanIdOf(1)}`);
    await waitForRows(watched.page, rows);
    await watched.page.getByText("Instrumentation scope").first().waitFor();
    assert.ok((await paintedCount(watched.page)) > 100, `bars of trace ${trace}`);
    for (const view of ["flame", "graph", "statistics"]) {
      await watched.page.goto(`${stack.url}/trace/${traceIdOf(trace)}?v=${view}&show=idle,gaps,path`);
      await watched.page.waitForLoadState("networkidle");
      await assertUnharmed(watched, `trace ${trace}, ${view}`);
    }
    await watched.page.context().close();
  }
});

test("a tree 200 deep and one 50,000 wide draw, fold and scroll to their ends", { skip }, async () => {
  const deep = Array.from({ length: 200 }, (_, at) =>
    buildSpan({
      traceId: traceIdOf(5),
      spanId: spanIdOf(at + 1),
      parentSpanId: at === 0 ? null : spanIdOf(at),
      name: `level ${at + 1}`,
      startNano: unixNano(START + BigInt(at) * 1000n),
      durationNano: 1_000_000n - BigInt(at) * 2000n,
    }),
  );
  const wide = Array.from({ length: 50_001 }, (_, at) =>
    buildSpan({
      traceId: traceIdOf(6),
      spanId: spanIdOf(at + 1),
      parentSpanId: at === 0 ? null : spanIdOf(1),
      name: at === 0 ? "fan out" : `call ${at % 25_000}`,
      startNano: unixNano(START + BigInt(at) * 1000n),
      durationNano: at === 0 ? 60_000_000n : 900n,
    }),
  );
  await storeSpans(stack.writer, [...deep, ...wide]);
  for (const [trace, rows, last] of [
    [5, 200, /level 200/],
    [6, 50_001, /call 0/],
  ] as const) {
    const watched = await open(`/trace/${traceIdOf(trace)}`);
    const { page } = watched;
    await waitForRows(page, rows);
    await page.locator('[role="row"]').first().focus();
    await page.keyboard.press("End");
    const focused = page.locator('[role="row"]:focus');
    await focused.getByText(last).waitFor();
    assert.equal(await focused.getAttribute("aria-rowindex"), String(rows));
    assert.ok((await paintedCount(page)) > 100, `bars of trace ${trace}`);
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowLeft");
    await waitForRows(page, 1);
    for (const view of ["flame", "graph", "statistics"]) {
      await page.goto(`${stack.url}/trace/${traceIdOf(trace)}?v=${view}`);
      await page
        .getByRole("tabpanel")
        .getByText(trace === 5 ? "level 1" : "fan out", { exact: false })
        .first()
        .waitFor();
      await assertUnharmed(watched, `trace ${trace}, ${view}`);
    }
    await watched.screenshot(`hostile-${trace === 5 ? "deep" : "wide"}`);
    await page.context().close();
  }
});

test("clocks of a trace of sixty thousand spans are adjusted as those of any other", { skip }, async () => {
  const count = 60_000;
  const spans = Array.from({ length: count }, (_, at) => {
    const isCalled = at > 0 && at % 2 === 0;
    // Each client on host a calls a server on host b, whose clock is ten seconds behind.
    const startNano = START + BigInt(at) * 10_000n - (isCalled ? 10_000_000_000n : 0n);
    return buildSpan({
      traceId: traceIdOf(8),
      spanId: spanIdOf(at + 1),
      parentSpanId: at === 0 ? null : spanIdOf(isCalled ? at : 1),
      kind: isCalled ? "server" : at === 0 ? "internal" : "client",
      service: isCalled ? "callee" : "caller",
      name: isCalled ? "serve" : `call ${at % 40}`,
      startNano: unixNano(startNano),
      durationNano: at === 0 ? 700_000_000n : isCalled ? 1000n : 15_000n,
      resourceAttributes: { "host.name": text(isCalled ? "b" : "a") },
    });
  });
  for (let from = 0; from < count; from += 20_000) await storeSpans(stack.writer, spans.slice(from, from + 20_000));
  const watched = await open(`/trace/${traceIdOf(8)}?adj=1`);
  const { page } = watched;
  await page.locator('[role="treegrid"][aria-busy="false"]').waitFor();
  await page.getByRole("button", { name: "Show as sent" }).click();
  await page.getByRole("button", { name: "Show adjusted" }).click();
  await page.getByRole("button", { name: "Show as sent" }).waitFor();
  await page.waitForURL(/adj=1/);
  await assertUnharmed(watched, "adjusted");
  await watched.screenshot("hostile-adjusted");
  await page.context().close();
});
