/**
 * Search and traces over a filled store, through the REST API: `npm run bench -- query [spans] [directory]`; a directory is
 * filled once and kept, so that one corpus serves many measurements. The corpus goes through the transcoder into
 * the embedded engine; every question is asked with other values each time, so that no cache of answers can flatter. With `--peers`
 * beside other systems: query-peers.ts.
 */
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { buildSpan, spanIdOf, storeRequests, storeSpans, traceIdOf } from "../support/store-spans.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { SERVICE_COUNT, corpusRequests, corpusServiceName } from "./corpus.ts";
import { cpuSecondsOf } from "./proc.ts";
import { runQueryPeers } from "./query-peers.ts";

const SPANS_PER_REQUEST = 500;
const REQUESTS_PER_BLOCK = 400;
const FROM_NANO = 1_768_435_200_000_000_000n;
const DAY_NANO = 86_400_000_000_000n;
const HOUR_NANO = DAY_NANO / 24n;
const REPEATS = 30;

async function fill(stack: QueryStack, spanCount: number): Promise<void> {
  const options = { requestCount: Math.ceil(spanCount / SPANS_PER_REQUEST), spansPerRequest: SPANS_PER_REQUEST };
  let block: Uint8Array[] = [];
  for (const request of corpusRequests({ ...options, startNano: FROM_NANO, rangeNano: DAY_NANO })) {
    block.push(request);
    if (block.length < REQUESTS_PER_BLOCK) continue;
    await storeRequests(stack.writer, block);
    block = [];
  }
  if (block.length > 0) await storeRequests(stack.writer, block);
}

/** One trace of `count` spans, three children each, in the middle of the day. */
async function fillLargeTrace(stack: QueryStack, number: number, count: number): Promise<void> {
  const batch = 20_000;
  for (let from = 0; from < count; from += batch) {
    const spans = Array.from({ length: Math.min(batch, count - from) }, (_, at) =>
      buildSpan({
        traceId: traceIdOf(number),
        spanId: spanIdOf(from + at + 1),
        parentSpanId: from + at === 0 ? null : spanIdOf(Math.floor((from + at - 1) / 3) + 1),
        name: `step ${(from + at) % 300}`,
        service: corpusServiceName((from + at) % SERVICE_COUNT),
        startNano: unixNano(FROM_NANO + DAY_NANO / 2n + BigInt(from + at) * 1000n),
      }),
    );
    await storeSpans(stack.writer, spans);
  }
}

type Ask = (repeat: number) => string;

/** Milliseconds until the whole body has arrived, and the engine's CPU time per question. */
async function measure(stack: QueryStack, name: string, ask: Ask, repeats = REPEATS): Promise<void> {
  const timesMs: number[] = [];
  const cpuBefore = cpuSecondsOf([stack.enginePid()]);
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const startedMs = performance.now();
    const response = await fetch(`${stack.url}/api/v1${ask(repeat)}`, { headers: { "accept-encoding": "identity" } });
    await response.bytes();
    timesMs.push(performance.now() - startedMs);
    if (response.status !== 200) throw new Error(`${ask(repeat)}: ${response.status}`);
  }
  const cpuMs = ((cpuSecondsOf([stack.enginePid()]) - cpuBefore) * 1000) / repeats;
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0).padStart(6);
  process.stdout.write(
    `${name.padEnd(58)} p50 ${at(0.5)} ms   p95 ${at(0.95)} ms   engine CPU ${cpuMs.toFixed(0).padStart(5)} ms\n`,
  );
}

export async function runQueryBench(args: readonly string[]): Promise<void> {
  if (args.includes("--peers")) {
    await runQueryPeers(args.filter((argument) => argument !== "--peers"));
    return;
  }
  const spanCount = Number(args[0] ?? 5_000_000);
  const stack = await startQueryStack(undefined, args[1]);
  try {
    const stored = await stack.writer.query<{ n: string }>("SELECT count() AS n FROM spans");
    if (stored.rows[0]?.n === "0") {
      await fill(stack, spanCount);
      await fillLargeTrace(stack, 1_000, 1_000);
      await fillLargeTrace(stack, 100_000, 100_000);
    }
    process.stdout.write(`${spanCount} spans over 24 h, ${REPEATS} questions each, other values every time\n`);
    await measureAll(stack);
  } finally {
    await stack.stop();
  }
}

async function measureAll(stack: QueryStack): Promise<void> {
  const day = `from=${FROM_NANO}&to=${FROM_NANO + DAY_NANO}`;
  const hour = (repeat: number): string => {
    const from = FROM_NANO + BigInt(repeat % 23) * HOUR_NANO;
    return `from=${from}&to=${from + HOUR_NANO}`;
  };
  const service = (repeat: number): string => encodeURIComponent(corpusServiceName(repeat % SERVICE_COUNT));
  const user = (repeat: number): string => `u-${((repeat * 7919) % 100_000).toString(16).padStart(8, "0")}`;
  const traceql = (text: string): string => encodeURIComponent(text);
  const found = TraceSearchAnswer.parse(
    (await stack.ask("/traces", { from: FROM_NANO, to: FROM_NANO + DAY_NANO / 3n, limit: 200 })).body,
  );
  const id = (repeat: number): string => found.traces[(repeat * 13) % found.traces.length]?.traceId ?? "";
  await measure(stack, "trace by id, skeleton", (repeat) => `/traces/${id(repeat)}?view=skeleton`);
  await measure(stack, "trace by id, tree", (repeat) => `/traces/${id(repeat + 50)}?view=tree`);
  await measure(stack, "trace by id, OTLP JSON", (repeat) => `/traces/${id(repeat + 100)}`);
  await measure(stack, "trace of 1,000 spans, skeleton", () => `/traces/${traceIdOf(1_000)}?view=skeleton`);
  await measure(stack, "trace of 100,000 spans, skeleton", () => `/traces/${traceIdOf(100_000)}?view=skeleton`, 10);
  await measure(stack, "newest 20 of a service, 1 h", (repeat) => `/traces?${hour(repeat)}&service=${service(repeat)}`);
  await measure(stack, "newest 20 of a service, 24 h", (repeat) => `/traces?${day}&service=${service(repeat)}`);
  await measure(stack, "newest 20 of anything, 1 h", (repeat) => `/traces?${hour(repeat)}`);
  await measure(stack, "slowest 20 of a service, 24 h", (repeat) => `/traces?${day}&sort=slowest&service=${service(repeat)}`);
  await measure(stack, "slowest 20 of anything, 24 h", () => `/traces?${day}&sort=slowest`, 10);
  await measure(
    stack,
    "span.user.id = one of 100,000 values, 24 h",
    (repeat) => `/traces?${day}&q=${traceql(`{ span.user.id = "${user(repeat)}" }`)}`,
  );
  await measure(
    stack,
    "attribute=user.id=... (span or resource), 24 h",
    (repeat) => `/traces?${day}&attribute=user.id%3D${user(repeat + 500)}`,
  );
  await measure(
    stack,
    "common attribute value, 24 h",
    (repeat) => `/traces?${day}&q=${traceql(`{ span.http.request.method = "GET" && duration > ${repeat}us }`)}`,
  );
  await measure(
    stack,
    "service, slow, error, 24 h",
    (repeat) => `/traces?${day}&status=error&minDuration=1s&service=${service(repeat)}`,
  );
  await measure(
    stack,
    "regular expression on an attribute of a service, 24 h",
    (repeat) => `/traces?${day}&service=${service(repeat)}&q=${traceql(`{ span.url.path =~ ".*/${repeat}9[0-9]" }`)}`,
    10,
  );
}
