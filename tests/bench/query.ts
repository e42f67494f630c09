/**
 * The questions of the design's targets over a filled store, through the REST API: `npm run bench -- query [spans] [directory]
 * [--beside SPANS_PER_SECOND] [--only TEXT] [--out DIR]`; a directory is filled once and kept, so that one corpus serves many measurements.
 * The corpus goes through the transcoder into the embedded engine and is counted into the rollups; every question is asked with other
 * values each time, so that no cache of answers can flatter. With `--peers` beside other systems: query-peers.ts.
 */
import { parseArgs } from "node:util";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { z } from "zod";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { buildSpan, spanIdOf, storeRequests, storeSpans, traceIdOf } from "../support/store-spans.ts";
import { SERVICE_COUNT, corpusRequests, corpusServiceName } from "./corpus.ts";
import { countRollups } from "./count-rollups.ts";
import { cpuSecondsOf } from "./proc.ts";
import { runQueryPeers } from "./query-peers.ts";
import { DAY_FROM_NANO, DAY_NANO, ownQuestions, type OwnQuestion } from "./query-questions.ts";
import { formatNumber, formatTable, percentileOf, spreadOf, writeReport } from "./report.ts";

const SPANS_PER_REQUEST = 500;
const REQUESTS_PER_BLOCK = 400;
const REPEATS = 30;
const WARM_REPEATS = 2;
const WARM_OFFSET = 1000;

async function fill(stack: QueryStack, spanCount: number): Promise<bigint> {
  const options = { requestCount: Math.ceil(spanCount / SPANS_PER_REQUEST), spansPerRequest: SPANS_PER_REQUEST };
  let block: Uint8Array[] = [];
  let offset = 0n;
  for (const request of corpusRequests({ ...options, startNano: DAY_FROM_NANO, rangeNano: DAY_NANO })) {
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
  besidePerSecond: z.number(),
  targetMs: z.number().nullable(),
  /** Empty where the question was refused; then `refused` says how. */
  timesMs: z.array(z.number()),
  engineCpuMs: z.number(),
  refused: z.string().nullable(),
});
type OwnRun = z.infer<typeof OwnRun>;

/** Milliseconds until the whole body has arrived, and the engine's CPU time per question. */
async function measure(stack: QueryStack, question: OwnQuestion, spans: number, besidePerSecond: number): Promise<OwnRun> {
  const { name, targetMs, ask, repeatsMax = REPEATS } = question;
  const ask1 = async (repeat: number): Promise<string | null> => {
    const response = await fetch(`${stack.url}/api/v1${ask(repeat)}`, { headers: { "accept-encoding": "identity" } });
    const body = await response.bytes();
    return response.status === 200 ? null : `${response.status} ${new TextDecoder().decode(body).slice(0, 200)}`;
  };
  const timesMs: number[] = [];
  let refused: string | null = null;
  for (let repeat = 0; repeat < Math.min(WARM_REPEATS, repeatsMax) && refused === null; repeat += 1)
    refused = await ask1(WARM_OFFSET + repeat);
  const cpuBefore = cpuSecondsOf([stack.enginePid()]);
  for (let repeat = 0; repeat < repeatsMax && refused === null; repeat += 1) {
    const startedMs = performance.now();
    refused = await ask1(repeat);
    if (refused === null) timesMs.push(performance.now() - startedMs);
  }
  const engineCpuMs = ((cpuSecondsOf([stack.enginePid()]) - cpuBefore) * 1000) / Math.max(1, timesMs.length);
  return { question: name, spans, besidePerSecond, targetMs, timesMs, engineCpuMs, refused };
}

/** A block of spans a second, as the writer makes them under that load; they lie behind the day that is asked about. */
async function storeBeside(stack: QueryStack, spansPerSecond: number, fromOffset: bigint, signal: AbortSignal): Promise<void> {
  let offset = fromOffset;
  const requestCount = Math.ceil(spansPerSecond / SPANS_PER_REQUEST);
  for (let second = 0n; !signal.aborted; second += 1n) {
    const startedMs = performance.now();
    const startNano = DAY_FROM_NANO + DAY_NANO + second * 1_000_000_000n;
    const options = {
      requestCount,
      spansPerRequest: SPANS_PER_REQUEST,
      seed: Number(second) + 2,
      startNano,
      rangeNano: 1_000_000_000n,
    };
    offset = await storeRequests(stack.writer, corpusRequests(options), offset);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 - (performance.now() - startedMs))));
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
      only: { type: "string", default: "" },
      out: { type: "string", default: "bench-results" },
    },
  });
  const spanCount = Number(positionals[0] ?? 5_000_000);
  const beside = Number(values.beside);
  const stack = await startQueryStack(undefined, positionals[1]);
  const end = new AbortController();
  try {
    const stored = await stack.writer.query<{ n: string }>("SELECT count() AS n FROM spans");
    if (stored.rows[0]?.n === "0") {
      const offset = await fill(stack, spanCount);
      await fillLargeTrace(stack, 100_000, 100_000, await fillLargeTrace(stack, 1_000, 1_000, offset));
    }
    const next = await stack.writer.query<{ next: string }>("SELECT max(log_offset) + 1 AS next FROM spans");
    const { builder } = await countRollups(stack);
    const first = { from: DAY_FROM_NANO, to: DAY_FROM_NANO + DAY_NANO / 3n, limit: 200 };
    const found = TraceSearchAnswer.parse((await stack.ask("/traces", first)).body);
    const storing = beside > 0 ? storeBeside(stack, beside, BigInt(next.rows[0]?.next ?? 0), end.signal) : Promise.resolve();
    const runs: OwnRun[] = [];
    const questions = ownQuestions(found.traces.map(({ traceId }) => traceId));
    for (const question of questions.filter(({ name }) => name.includes(values.only))) {
      runs.push(await measure(stack, question, spanCount, beside));
      process.stderr.write(`${formatOwn(runs.slice(-1)).split("\n").at(-1)}\n`);
    }
    end.abort();
    await storing;
    await builder.stop();
    const report = { dir: values.out, name: "query", isAppended: false };
    process.stdout.write(writeReport({ ...report, run: OwnRun, runs, toMarkdown: formatOwn }));
  } finally {
    end.abort();
    await stack.stop();
  }
}

function formatOwn(runs: readonly OwnRun[]): string {
  const rows = runs.map(({ question, timesMs, engineCpuMs, targetMs, refused }) => {
    if (refused !== null || timesMs.length === 0) return [question, "-", "-", "-", String(targetMs ?? ""), `refused: ${refused}`];
    const p95 = percentileOf(timesMs, 0.95);
    const verdict = targetMs === null ? "" : p95 <= targetMs ? "met" : `missed, ${formatNumber(p95 / targetMs, 1)} x`;
    return [
      question,
      formatNumber(spreadOf(timesMs).median),
      formatNumber(p95),
      formatNumber(engineCpuMs),
      targetMs === null ? "" : String(targetMs),
      verdict,
    ];
  });
  const [first] = runs;
  const title = `${formatNumber(first?.spans ?? 0)} spans over 24 h, ${formatNumber(first?.besidePerSecond ?? 0)} spans/s stored beside; ${REPEATS} questions each at most, other values every time`;
  return `${title}\n\n${formatTable(["question", "p50 ms", "p95 ms", "engine CPU ms", "target p95 ms", ""], rows)}`;
}
