/**
 * The questions of the design's targets over a filled store, through the REST API: `npm run bench -- query [spans] [directory]
 * [--beside SPANS_PER_SECOND] [--hour] [--now] [--only TEXT] [--out DIR]`; with `--hour` the spans lie within one, and what the page asks of its last
 * 15 minutes and of all of it is asked; with `--now` spans are sent beside as they happen, and what they change is asked until now, once a second; a
 * directory is filled once and kept, so that one corpus serves many measurements.
 * The corpus goes through the transcoder into the embedded engine and is counted into the rollups; then the all-in-one is started over it and
 * asked, while a sender in a process of its own exports spans to it as fast as `--beside` says. Every question has other values each time, so
 * that no cache of answers can flatter. With what the targets are for, 20,000,000 spans over 24 h and `--beside 20000`, it fails where one is
 * missed. With `--peers` beside other systems: query-peers.ts.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { z } from "zod";
import { makeTempDir, removeDir, startCallchain, type CallchainProcess } from "../support/process.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { buildSpan, spanIdOf, storeRequests, storeSpans, traceIdOf } from "../support/store-spans.ts";
import { SERVICE_COUNT, corpusRequests, corpusServiceName } from "./corpus.ts";
import { countRollups } from "./count-rollups.ts";
import { startLoad } from "./peers/load-process.ts";
import { cpuSecondsOf, familyOf } from "./proc.ts";
import { runQueryPeers } from "./query-peers.ts";
import {
  DAY_FROM_NANO,
  DAY_NANO,
  HOUR_NANO,
  ownQuestions,
  pageQuestions,
  questionsUntilNow,
  type OwnQuestion,
} from "./query-questions.ts";
import { formatNumber, formatTable, percentileOf, spreadOf, writeReport } from "./report.ts";

const SPANS_PER_REQUEST = 500;
const REQUESTS_PER_BLOCK = 400;
const REPEATS = 30;
const WARM_REPEATS = 2;
const WARM_OFFSET = 1000;
/** Spans that are sent beside have been stored and merged for so long before the first question. */
const SETTLE_MS = 10_000;
const SEND_SECONDS_MAX = 3600;
/** What the targets are for. */
const TARGET_SPANS = 20_000_000;
const TARGET_BESIDE = 20_000;

async function fill(stack: QueryStack, spanCount: number, rangeNano: bigint): Promise<bigint> {
  const options = { requestCount: Math.ceil(spanCount / SPANS_PER_REQUEST), spansPerRequest: SPANS_PER_REQUEST };
  let block: Uint8Array[] = [];
  let offset = 0n;
  for (const request of corpusRequests({ ...options, startNano: DAY_FROM_NANO, rangeNano })) {
    block.push(request);
    if (block.length < REQUESTS_PER_BLOCK) continue;
    offset = await storeRequests(stack.writer, block, offset);
    block = [];
  }
  return block.length > 0 ? await storeRequests(stack.writer, block, offset) : offset;
}

/** One trace of `count` spans, three children each, in the middle of the day. */
async function fillLargeTrace(stack: QueryStack, number: number, count: number, fromOffset: bigint): Promise<bigint> {
  const batch = 20_000;
  let offset = fromOffset;
  for (let from = 0; from < count; from += batch) {
    const spans = Array.from({ length: Math.min(batch, count - from) }, (_, at) =>
      buildSpan({
        traceId: traceIdOf(number),
        spanId: spanIdOf(from + at + 1),
        parentSpanId: from + at === 0 ? null : spanIdOf(Math.floor((from + at - 1) / 3) + 1),
        name: `step ${(from + at) % 300}`,
        service: corpusServiceName((from + at) % SERVICE_COUNT),
        startNano: unixNano(DAY_FROM_NANO + DAY_NANO / 2n + BigInt(from + at) * 1000n),
      }),
    );
    offset = await storeSpans(stack.writer, spans, offset);
  }
  return offset;
}

const OwnRun = z.object({
  question: z.string(),
  spans: z.number(),
  hours: z.number(),
  besidePerSecond: z.number(),
  targetMs: z.number().nullable(),
  /** Empty where the question was refused; then `refused` says how. */
  timesMs: z.array(z.number()),
  /** Of all processes, what is stored beside included. */
  cpuMs: z.number(),
  refused: z.string().nullable(),
});
type OwnRun = z.infer<typeof OwnRun>;

/** Milliseconds until the whole body has arrived, and CPU time per question. */
async function measure(
  { child, queryUrl }: CallchainProcess,
  question: OwnQuestion,
  filled: Pick<OwnRun, "spans" | "hours" | "besidePerSecond">,
): Promise<OwnRun> {
  const { name, targetMs, ask, repeatsMax = REPEATS, restMs = 0 } = question;
  const ask1 = async (repeat: number): Promise<string | null> => {
    const response = await fetch(`${queryUrl}/api/v1${ask(repeat)}`, { headers: { "accept-encoding": "identity" } });
    const body = await response.bytes();
    return response.status === 200 ? null : `${response.status} ${new TextDecoder().decode(body).slice(0, 200)}`;
  };
  const timesMs: number[] = [];
  let refused: string | null = null;
  for (let repeat = 0; repeat < Math.min(WARM_REPEATS, repeatsMax) && refused === null; repeat += 1)
    refused = await ask1(WARM_OFFSET + repeat);
  const pids = familyOf(child.pid ?? 0);
  const cpuBefore = cpuSecondsOf(pids);
  for (let repeat = 0; repeat < repeatsMax && refused === null; repeat += 1) {
    const startedMs = performance.now();
    refused = await ask1(repeat);
    if (refused === null) timesMs.push(performance.now() - startedMs);
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
  }
  const cpuMs = ((cpuSecondsOf(pids) - cpuBefore) * 1000) / Math.max(1, timesMs.length);
  return { question: name, ...filled, targetMs, timesMs, cpuMs, refused };
}

/** Fills and counts a directory's store where it is empty. Resolves with traces to ask for. */
async function prepare(dir: string, spanCount: number, rangeNano: bigint): Promise<string[]> {
  const stack = await startQueryStack(undefined, join(dir, "clickhouse"));
  try {
    const stored = await stack.writer.query<{ n: string }>("SELECT count() AS n FROM spans");
    if (stored.rows[0]?.n === "0") {
      const offset = await fill(stack, spanCount, rangeNano);
      await fillLargeTrace(stack, 100_000, 100_000, await fillLargeTrace(stack, 1_000, 1_000, offset));
    }
    const { builder } = await countRollups(stack);
    await builder.stop();
    const first = { from: DAY_FROM_NANO, to: DAY_FROM_NANO + DAY_NANO / 3n, limit: 200 };
    const found = TraceSearchAnswer.parse((await stack.ask("/traces", first)).body);
    return found.traces.map(({ traceId }) => traceId);
  } finally {
    await stack.stop();
  }
}

/** Until it is aborted. */
async function sendBeside(otlpHttpUrl: string, spansPerSecond: number, startMs: number, signal: AbortSignal): Promise<void> {
  const load = { url: otlpHttpUrl, protocol: "http", spansPerRequest: 512, connections: 8, spansPerSecond, startMs } as const;
  try {
    await startLoad({ ...load, seconds: SEND_SECONDS_MAX }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

export async function runQueryBench(args: readonly string[]): Promise<void> {
  if (args.includes("--peers")) {
    await runQueryPeers(args.filter((argument) => argument !== "--peers"));
    return;
  }
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      beside: { type: "string", default: "0" },
      hour: { type: "boolean", default: false },
      now: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      out: { type: "string", default: "bench-results" },
    },
  });
  const spanCount = Number(positionals[0] ?? 5_000_000);
  const beside = Number(values.beside);
  const dir = positionals[1] ?? makeTempDir();
  const end = new AbortController();
  try {
    const traceIds = await prepare(dir, spanCount, values.hour ? HOUR_NANO : DAY_NANO);
    const questions = values.now ? questionsUntilNow : values.hour ? pageQuestions : ownQuestions(traceIds);
    const filled = { spans: spanCount, hours: values.hour ? 1 : 24, besidePerSecond: beside };
    const callchain = await startCallchain(dir);
    try {
      // Where nothing of them is asked, behind the day.
      const sentFromMs = values.now ? Date.now() : Number((DAY_FROM_NANO + DAY_NANO) / 1_000_000n);
      const sending = beside > 0 ? sendBeside(callchain.otlpHttpUrl, beside, sentFromMs, end.signal) : Promise.resolve();
      if (beside > 0) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      const runs: OwnRun[] = [];
      for (const question of questions.filter(({ name }) => name.includes(values.only))) {
        runs.push(await measure(callchain, question, filled));
        process.stderr.write(`${formatOwn(runs.slice(-1)).split("\n").at(-1)}\n`);
      }
      end.abort();
      await sending;
      const report = { dir: values.out, name: "query", isAppended: false };
      process.stdout.write(writeReport({ ...report, run: OwnRun, runs, toMarkdown: formatOwn }));
      if (spanCount === TARGET_SPANS && beside === TARGET_BESIDE && !values.hour && !values.now) assertTargets(runs);
    } finally {
      end.abort();
      await callchain.stop();
    }
  } finally {
    if (positionals[1] === undefined) removeDir(dir);
  }
}

/** Throws where a target is missed, or a question with one was refused. */
function assertTargets(runs: readonly OwnRun[]): void {
  const withTarget = runs.flatMap(({ question, timesMs, targetMs }) =>
    targetMs === null ? [] : [{ question, timesMs, targetMs }],
  );
  const missed = withTarget.filter(({ timesMs, targetMs }) => timesMs.length === 0 || percentileOf(timesMs, 0.95) > targetMs);
  if (missed.length === 0) return;
  throw new Error(
    `${missed.length} of ${withTarget.length} targets missed: ${missed.map(({ question }) => question).join("; ")}`,
  );
}

function formatOwn(runs: readonly OwnRun[]): string {
  const rows = runs.map(({ question, timesMs, cpuMs, targetMs, refused }) => {
    if (refused !== null || timesMs.length === 0) return [question, "-", "-", "-", String(targetMs ?? ""), `refused: ${refused}`];
    const p95 = percentileOf(timesMs, 0.95);
    const verdict = targetMs === null ? "" : p95 <= targetMs ? "met" : `missed, ${formatNumber(p95 / targetMs, 1)} x`;
    return [
      question,
      formatNumber(spreadOf(timesMs).median),
      formatNumber(p95),
      formatNumber(cpuMs),
      targetMs === null ? "" : String(targetMs),
      verdict,
    ];
  });
  const [first] = runs;
  const title = `${formatNumber(first?.spans ?? 0)} spans over ${first?.hours ?? 24} h, ${formatNumber(first?.besidePerSecond ?? 0)} spans/s stored beside; ${REPEATS} questions each at most, other values every time`;
  return `${title}\n\n${formatTable(["question", "p50 ms", "p95 ms", "CPU ms", "target p95 ms", ""], rows)}`;
}
