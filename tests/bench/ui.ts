/**
 * The trace page in the system's Chromium on traces of 1,000 to 1,000,000 spans from the real API and engine: `npm run bench -- ui
 * [sizes, e.g. 1000,100000] [directory]`; a directory keeps the filled store. Writes ui.json and ui.md, and of the map of 200 services
 * ui-map.json and ui-map.md, into it, or into .cache/bench. Goals are those of the design; a figure that misses its goal is marked.
 */
import { get } from "node:http";
import { join } from "node:path";
import { chromium, type CDPSession, type Page } from "playwright-core";
import { z } from "zod";
import { findPage } from "@callchain/deploy/page.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { CHROMIUM_FLAGS, findChromium } from "../support/chromium.ts";
import { measurePageSizes } from "../support/page-size.ts";
import { ROOT } from "../support/process.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { storeSpans, traceIdOf } from "../support/store-spans.ts";
import { largeTrace } from "./large-trace.ts";
import { MapFigures, mapToMarkdown, measureMap } from "./ui-map.ts";
import { formatNumber, formatSpread, formatTable, percentileOf, writeReport } from "./report.ts";

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const START_NANO = 1_768_435_200_000_000_000n;
const SPANS_PER_BLOCK = 20_000;
const LOADS = 5;
const FRAMES = 150;
const FOLDS = 10;
const MIB = 2 ** 20;

const Figures = z.object({
  spanCount: z.number(),
  /** From the document's first byte: until bars are drawn, and until the whole trace is there. */
  firstWaterfallMs: z.array(z.number()),
  wholeMs: z.array(z.number()),
  skeletonGzBytes: z.number(),
  /** Script time of each frame while the wheel zooms. */
  zoomFrameMs: z.array(z.number()),
  foldMs: z.array(z.number()),
  unfoldMs: z.array(z.number()),
  /** JavaScript heap, buffers included, after a collection. */
  heapBytes: z.number(),
});
type Figures = z.infer<typeof Figures>;

interface Goal {
  readonly firstWaterfallMs?: number;
  readonly wholeMs?: number;
  readonly gzBytes?: number;
  readonly frameMs?: number;
  readonly foldMs?: number;
  readonly heapBytes?: number;
}
const GOALS: Readonly<Record<number, Goal>> = {
  10_000: { firstWaterfallMs: 400 },
  100_000: { firstWaterfallMs: 1200, gzBytes: 2 * MIB, frameMs: 8, foldMs: 16 },
  1_000_000: { wholeMs: 5000, frameMs: 12, heapBytes: 200 * MIB },
};

async function fill(stack: QueryStack, spanCount: number): Promise<void> {
  let block: Span[] = [];
  for (const span of largeTrace(spanCount, spanCount, START_NANO)) {
    block.push(span);
    if (block.length < SPANS_PER_BLOCK) continue;
    await storeSpans(stack.writer, block);
    block = [];
  }
  if (block.length > 0) await storeSpans(stack.writer, block);
}

/** What the network carries for the skeleton, compressed. */
function skeletonGzBytes(url: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { accept: "application/vnd.callchain.skeleton", "accept-encoding": "gzip" };
  get(url, { headers }, (response) => {
    let bytes = 0;
    response.on("data", (piece: Buffer) => (bytes += piece.length));
    response.on("end", () => resolve(bytes));
    response.on("error", reject);
  }).on("error", reject);
  return promise;
}

// Scripts for the page are texts: this project has no DOM types here.

/** Notes when the first rows stand in the tree and their frame has been handed on, and when the whole trace has arrived. */
const WATCH = `
  window.bench = {};
  window.bench.done = new Promise((resolve) => {
    const note = (name) => requestAnimationFrame(() => setTimeout(() => {
      window.bench[name] ??= performance.now();
      if (name === "whole") resolve();
    }));
    const look = () => {
      const grid = document.querySelector('[role="treegrid"]');
      const hasRows = (grid?.querySelector('[role="row"]') ?? null) !== null;
      if (hasRows) note("first");
      if (hasRows && grid.getAttribute("aria-busy") === "false") note("whole");
      else setTimeout(look, 4);
    };
    look();
  });
`;

/** Turns the wheel by a notch in each frame, in and out again, and returns the script time of each: handlers, state and drawing. */
const ZOOM = `(async () => {
  const grid = document.querySelector('[role="treegrid"]');
  const box = grid.getBoundingClientRect();
  const times = [];
  for (let frame = 0; frame < ${FRAMES}; frame += 1) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const started = performance.now();
    grid.dispatchEvent(new WheelEvent("wheel", {
      deltaY: frame < ${FRAMES} / 2 ? -60 : 60, ctrlKey: true, bubbles: true, cancelable: true,
      clientX: box.left + box.width * 0.7, clientY: box.top + 100,
    }));
    await null; await null; await null;
    times.push(performance.now() - started);
  }
  return times;
})()`;

/** Presses a button of the toolbar and returns the script time until rows and bars are drawn. */
const press = (label: string): string => `(async () => {
  const button = document.querySelector('button[aria-label="${label}"]');
  await new Promise((resolve) => requestAnimationFrame(resolve));
  const started = performance.now();
  button.click();
  await null; await null; await null;
  return performance.now() - started;
})()`;

const HeapUsage = z.object({ usedSize: z.number(), embedderHeapUsedSize: z.number(), backingStorageSize: z.number() });

async function heapBytes(session: CDPSession): Promise<number> {
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  const usage = HeapUsage.parse(await session.send("Runtime.getHeapUsage"));
  return usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize;
}

const numbers = (value: unknown): number[] => z.array(z.number()).parse(value);

async function load(page: Page, url: string): Promise<{ first: number; whole: number }> {
  await page.goto(url);
  const [first = 0, whole = 0] = numbers(
    await page.evaluate(`window.bench.done.then(() => {
      const firstByte = performance.getEntriesByType("navigation")[0].responseStart;
      return [window.bench.first - firstByte, window.bench.whole - firstByte];
    })`),
  );
  return { first, whole };
}

async function measure(stack: QueryStack, spanCount: number, executablePath: string): Promise<Figures> {
  const traceId = traceIdOf(spanCount);
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
  try {
    const context = await browser.newContext({
      viewport: { width: 1920, height: 1080 },
      reducedMotion: "reduce",
      locale: "en-GB",
    });
    const page = await context.newPage();
    await page.addInitScript(WATCH);
    const firstWaterfallMs: number[] = [];
    const wholeMs: number[] = [];
    for (let at = 0; at < LOADS; at += 1) {
      const { first, whole } = await load(page, `${stack.url}/trace/${traceId}`);
      firstWaterfallMs.push(first);
      wholeMs.push(whole);
    }
    const zoomFrameMs = numbers(await page.evaluate(ZOOM));
    const foldMs: number[] = [];
    const unfoldMs: number[] = [];
    for (let at = 0; at < FOLDS; at += 1) {
      foldMs.push(...numbers([await page.evaluate(press("Fold all"))]));
      unfoldMs.push(...numbers([await page.evaluate(press("Open all"))]));
    }
    const heap = await heapBytes(await context.newCDPSession(page));
    const gz = await skeletonGzBytes(`${stack.url}/api/v1/traces/${traceId}?view=skeleton`);
    return { spanCount, firstWaterfallMs, wholeMs, skeletonGzBytes: gz, zoomFrameMs, foldMs, unfoldMs, heapBytes: heap };
  } finally {
    await browser.close();
  }
}

/** "310 (300-340) of 400", with a mark where the goal is missed. */
function beside(text: string, value: number, goal: number | undefined, goalText = formatNumber(goal ?? 0)): string {
  if (goal === undefined) return text;
  return `${text} of ${goalText}${value > goal ? " **missed**" : ""}`;
}

const median = (values: readonly number[]): number => percentileOf(values, 0.5);
const mib = (bytes: number): string => formatNumber(bytes / MIB, 1);

function toMarkdown(runs: readonly Figures[]): string {
  const rows = runs.map((run) => {
    const goal = GOALS[run.spanCount] ?? {};
    const frame = percentileOf(run.zoomFrameMs, 0.95);
    const unfold = median(run.unfoldMs);
    return [
      formatNumber(run.spanCount),
      beside(formatSpread(run.firstWaterfallMs), median(run.firstWaterfallMs), goal.firstWaterfallMs),
      beside(formatSpread(run.wholeMs), median(run.wholeMs), goal.wholeMs),
      beside(mib(run.skeletonGzBytes), run.skeletonGzBytes, goal.gzBytes, mib(goal.gzBytes ?? 0)),
      beside(formatNumber(frame, 1), frame, goal.frameMs),
      beside(formatSpread(run.foldMs, 1), median(run.foldMs), goal.foldMs),
      beside(formatSpread(run.unfoldMs, 1), unfold, goal.foldMs),
      beside(mib(run.heapBytes), run.heapBytes, goal.heapBytes, mib(goal.heapBytes ?? 0)),
    ];
  });
  const head = [
    "spans",
    "first waterfall ms",
    "whole trace ms",
    "skeleton MiB gz",
    "zoom frame p95 ms",
    "fold all ms",
    "open all ms",
    "heap MiB",
  ];
  const sizes = measurePageSizes().map(({ name, bytes, maxBytes }) => [
    name,
    beside(formatNumber(bytes / 1000, 1), bytes, maxBytes, formatNumber(maxBytes / 1000)),
  ]);
  return `${formatTable(head, rows)}\n\n${formatTable(["page", "JavaScript KB gz"], sizes)}`;
}

export async function runUiBench(args: readonly string[]): Promise<void> {
  const { path, missing } = findChromium({ install: false });
  if (path === undefined) throw new Error(missing);
  const uiDir = findPage();
  if (uiDir === null) throw new Error("the page is not built");
  const sizes = args[0] === undefined ? SIZES : args[0].split(",").map(Number);
  process.stderr.write("skipped jaeger-ui: no registry has it, and Jaeger's module brings an empty page in its place\n");
  const stack = await startQueryStack(undefined, args[1] === undefined ? undefined : join(args[1], "data"), uiDir);
  try {
    const runs: Figures[] = [];
    for (const spanCount of sizes) {
      const stored = await stack.ask(`/traces/${traceIdOf(spanCount)}/spans/0000000000000001`);
      if (stored.status === 404) await fill(stack, spanCount);
      runs.push(await measure(stack, spanCount, path));
    }
    const dir = args[1] ?? join(ROOT, ".cache/bench");
    const maps = await measureMap(stack, path);
    process.stdout.write(
      writeReport({ dir, name: "ui-map", isAppended: false, run: MapFigures, runs: maps, toMarkdown: mapToMarkdown }),
    );
    process.stdout.write(writeReport({ dir, name: "ui", isAppended: false, run: Figures, runs, toMarkdown }));
  } finally {
    await stack.stop();
  }
}
