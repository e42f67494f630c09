import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLimits, type LimitRun } from "../limit.ts";
import { formatQueries, type QueryRun } from "../query-peers.ts";
import type { IngestRun, Step } from "./measure-ingest.ts";
import { QUESTIONS, countFound, type Day } from "./questions.ts";
import { formatIngestRuns, formatKills } from "./table.ts";

const step = (rest: Partial<Step>): Step => ({
  offeredPerSecond: 0,
  acceptedSpans: 1000,
  acceptedPerSecond: 100_000,
  foundPerSecond: 90_000,
  drainMs: 500,
  refusals: 0,
  ackP50Ms: 10,
  ackP99Ms: 20,
  cpuSecondsPerMillion: 8,
  cpuSecondsPerMillionSettled: 9,
  askedSpans: 100,
  missingSpans: 0,
  ...rest,
});

const ingestRun = (system: string, steps: readonly Partial<Step>[], rest: Partial<IngestRun> = {}): IngestRun => ({
  system,
  version: `${system} 1`,
  setup: "as it comes",
  variant: "http-512",
  startedAt: "2026-01-01T00:00:00.000Z",
  steps: steps.map(step),
  rssPeakMiB: 500,
  bytesPerSpan: null,
  missingByCount: null,
  ...rest,
});

/** The cells of the row that begins with this one. */
function rowOf(markdown: string, first: string): string[] {
  const line = markdown.split("\n").find((text) => text.startsWith(`| ${first} |`));
  assert.ok(line !== undefined, `no row ${first} in:\n${markdown}`);
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

test("an ingest table has medians over the runs, what is lost, and each system beside Callchain", () => {
  const text = formatIngestRuns([
    ingestRun("callchain", [{}], { missingByCount: 0 }),
    ingestRun("callchain", [{ foundPerSecond: 110_000, cpuSecondsPerMillion: 10 }], { missingByCount: 2 }),
    ingestRun("peer", [{ foundPerSecond: 20_000, cpuSecondsPerMillion: 45, missingSpans: 7 }], { bytesPerSpan: 1100 }),
  ]);
  const own = rowOf(text, "callchain");
  assert.deepEqual([own[2], own[3], own[4], own.at(-2), own.at(-1)], ["100,000 (90,000-110,000)", "1 x", "9 (8-10)", "2", "2"]);
  const peer = rowOf(text, "peer");
  assert.deepEqual([peer[2], peer[3], peer[4], peer[5]], ["20,000", "0.2 x", "45", "5 x"]);
  assert.deepEqual([peer[8], peer[11], peer[12]], ["1,100", "7 of 100", "-"]);
});

test("a system that keeps nothing is shown by what it acknowledged", () => {
  const text = formatIngestRuns([
    ingestRun("callchain", [{}]),
    ingestRun("nop", [{ foundPerSecond: null, drainMs: null, acceptedPerSecond: 180_000, askedSpans: 0 }]),
  ]);
  const cells = rowOf(text, "nop");
  assert.deepEqual([cells[1], cells[2], cells[3], cells[11]], ["180,000", "-", "2 x", "-"]);
});

test("rising rates stand in a table of their own, and only the flat-out load in the first", () => {
  const text = formatIngestRuns([ingestRun("callchain", [{ offeredPerSecond: 5000, acceptedPerSecond: 4999 }, {}])]);
  assert.match(text, /### Rising rates/);
  assert.deepEqual(rowOf(text, "http-512").slice(1, 4), ["callchain", "5,000", "4,999"]);
  assert.equal(rowOf(text, "callchain")[1], "100,000");
});

test("kills add up", () => {
  const kill = { system: "peer", version: "1", startedAt: "", acknowledgedSpans: 1000, missingSpans: 40 };
  assert.deepEqual(rowOf(formatKills([kill, kill]), "peer"), ["peer", "2,000", "80", "2"]);
});

test("a query table has each system's median beside Callchain's, and what the answers held", () => {
  const run = (system: string, timesMs: number[], found: (number | null)[]): QueryRun => ({
    system,
    version: "1",
    spans: 1000,
    state: "warm",
    question: "newest",
    timesMs,
    cpuMs: 1,
    found,
    answerBytes: 10,
  });
  const text = formatQueries([run("callchain", [10, 20, 30], [20, 20, 20]), run("peer", [40], [19]), run("other", [5], [null])]);
  assert.deepEqual(rowOf(text, "newest"), ["newest", "20 / 30 [20]", "40 / 40 = 2 x [19]", "5 / 5 = 0.25 x"]);
});

test("a stage's share is of all stages that are no part of another", () => {
  const run: LimitRun = {
    startedAt: "",
    bytesPerSpan: 500,
    bounds: { copy: 0.1 },
    stages: [
      { name: "receive", cost: 1, bound: "copy" },
      { name: "- of it the scan", cost: 0.5, bound: "copy" },
      { name: "insert", cost: 3, bound: "copy" },
    ],
  };
  const text = formatLimits([run]);
  assert.deepEqual(rowOf(text, "receive"), ["receive", "1", "25%", "copy: 0.1", "10 x"]);
  assert.equal(rowOf(text, "- of it the scan")[2], "");
  assert.deepEqual(rowOf(text, "copy"), ["copy", "0.1", "5,000 MB/s"]);
});

test("a question names the same service, value and time in every dialect", () => {
  const startNano = 1_768_435_200_000_000_000n;
  const seen = { traceId: "0af7651916cd43dd8448eb211c80319c", service: "cart-api", user: "u-00000001", startNano };
  const day: Day = { fromNano: startNano, seen: [seen] };
  const rare = QUESTIONS.find(({ name }) => name.startsWith("rare"));
  const paramsOf = (dialect: "callchain" | "jaeger" | "zipkin"): Record<string, string> =>
    Object.fromEntries(new URL(`http://x${rare?.ask(dialect, day, 0) ?? ""}`).searchParams);
  assert.deepEqual(paramsOf("callchain"), {
    from: "1768435200000000000",
    to: "1768521600000000000",
    service: "cart-api",
    q: '{ span.user.id = "u-00000001" }',
  });
  assert.deepEqual(paramsOf("jaeger"), {
    limit: "20",
    service: "cart-api",
    start: "1768435200000000",
    end: "1768521600000000",
    tags: '{"user.id":"u-00000001"}',
  });
  assert.deepEqual(paramsOf("zipkin"), {
    limit: "20",
    serviceName: "cart-api",
    endTs: "1768521600000",
    lookback: "86400000",
    annotationQuery: "user.id=u-00000001",
  });
});

test("answers are counted in each API's shape", () => {
  assert.equal(countFound({ traces: [1, 2], nextCursor: null }), 2);
  assert.equal(countFound({ nodes: [], edges: [1] }), 1);
  assert.equal(countFound({ data: null }), 0);
  assert.equal(countFound([[1], [2], [3]]), 3);
  assert.equal(countFound({ resourceSpans: [] }), null);
});
