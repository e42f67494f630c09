/** The service map of many services in the system's Chromium, from the real API: how long the worker takes for a layout, and what overlaps. */
import { chromium } from "playwright-core";
import { z } from "zod";
import { CHROMIUM_FLAGS } from "../support/chromium.ts";
import { buildServiceSpans } from "../support/many-services.ts";
import type { QueryStack } from "../support/query-stack.ts";
import { storeSpans } from "../support/store-spans.ts";
import { formatNumber, formatSpread, formatTable, spreadOf } from "./report.ts";

/** With the hub and the databases just 200 nodes, which is where groups would begin. */
const SERVICE_COUNT = 185;
const START_NANO = 1_768_700_000_000_000_000n;
const RANGE_NANO = 60_000_000_000n;
const LOADS = 5;
const LAYOUT_MS_MAX = 400;
const DRAWN = "backbone and badges";

export const MapFigures = z.object({
  shown: z.string(),
  nodeCount: z.number(),
  edgeCount: z.number(),
  /** From handing the graph to a worker that has just started until its layout is there. */
  layoutMs: z.array(z.number()),
  /** Of the page's own worker, which was started while the graph was asked for. */
  firstLayoutMs: z.array(z.number()),
  overlapCount: z.number(),
});
export type MapFigures = z.infer<typeof MapFigures>;

/** Notes how long each layout takes on its way to the worker and back. */
const WATCH = `
  window.layouts = [];
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (task, ...rest) {
    if (task?.request?.nodes !== undefined && window.layouts !== null) {
      const started = performance.now();
      window.asked = task.request;
      this.addEventListener("message", () => window.layouts?.push(performance.now() - started), { once: true });
    }
    return post.call(this, task, ...rest);
  };
`;

/** The same graph to a worker of its own, once that has started. */
const LAY_OUT = `(async () => {
  window.layouts = null;
  const url = performance.getEntriesByType("resource").map(({ name }) => name).find((name) => name.includes("layout-worker"));
  const worker = new Worker(url, { type: "module" });
  const ask = (request) => new Promise((resolve) => {
    worker.onmessage = resolve;
    worker.postMessage({ number: 1, request });
  });
  await ask({ nodes: [], edges: [] });
  const started = performance.now();
  await ask(window.asked);
  const ms = performance.now() - started;
  worker.terminate();
  return [ms, window.asked.nodes.length, window.asked.edges.length];
})()`;

/** Pairs of boxes - nodes, and labels of edges that are shown - of which one covers a part of the other. */
const OVERLAPS = `(() => {
  const boxes = [...document.querySelectorAll("svg .node .box, svg .label rect")]
    .map((rect) => rect.getBoundingClientRect())
    .filter(({ width }) => width > 0)
    .sort((a, b) => a.left - b.left);
  let count = 0;
  for (const [at, one] of boxes.entries()) {
    for (let other = at + 1; other < boxes.length && boxes[other].left < one.right - 0.5; other += 1) {
      if (boxes[other].top < one.bottom - 0.5 && one.top < boxes[other].bottom - 0.5) count += 1;
    }
  }
  return count;
})()`;

export async function measureMap(stack: QueryStack, executablePath: string): Promise<MapFigures[]> {
  await storeSpans(stack.writer, [...buildServiceSpans(SERVICE_COUNT, START_NANO, 5_000_000)]);
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
  try {
    const runs: MapFigures[] = [];
    for (const [shown, more] of [
      [DRAWN, ""],
      ["every edge", "&edges=all"],
    ] as const) {
      const context = await browser.newContext({ viewport: { width: 1920, height: 1080 }, locale: "en-GB" });
      const page = await context.newPage();
      await page.addInitScript(WATCH);
      const run = { shown, nodeCount: 0, edgeCount: 0, layoutMs: [] as number[], firstLayoutMs: [] as number[], overlapCount: 0 };
      for (let at = 0; at < LOADS; at += 1) {
        // The traces' starts are milliseconds apart, by their numbers.
        await page.goto(`${stack.url}/map?from=${START_NANO}&to=${START_NANO + 100n * RANGE_NANO}${more}`);
        await page.locator("svg .node").nth(100).waitFor();
        run.overlapCount = z.number().parse(await page.evaluate(OVERLAPS));
        run.firstLayoutMs.push(...z.array(z.number()).parse(await page.evaluate("window.layouts")));
        const [ms, nodeCount, edgeCount] = z.tuple([z.number(), z.number(), z.number()]).parse(await page.evaluate(LAY_OUT));
        run.layoutMs.push(ms);
        Object.assign(run, { nodeCount, edgeCount });
      }
      runs.push(run);
      await context.close();
    }
    return runs;
  } finally {
    await browser.close();
  }
}

export function mapToMarkdown(runs: readonly MapFigures[]): string {
  const rows = runs.map((run) => {
    // The goal is for what is drawn of so many services; everything is drawn on demand.
    const isMissed = run.shown === DRAWN && spreadOf(run.layoutMs).median > LAYOUT_MS_MAX;
    return [
      run.shown,
      formatNumber(run.nodeCount),
      formatNumber(run.edgeCount),
      `${formatSpread(run.layoutMs)}${run.shown === DRAWN ? ` of ${LAYOUT_MS_MAX}` : ""}${isMissed ? " **missed**" : ""}`,
      formatSpread(run.firstLayoutMs),
      `${run.overlapCount}${run.overlapCount > 0 ? " **missed**" : ""}`,
    ];
  });
  return formatTable(["map", "nodes", "edges", "layout ms", "page's first ms", "overlaps"], rows);
}
