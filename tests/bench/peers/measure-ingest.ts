/**
 * One system under load: what it acknowledged, what its query API finds of it afterwards, and what that cost. The sender's word counts
 * only for what was acknowledged.
 */
import { z } from "zod";
import { makeTempDir, removeDir } from "../../support/process.ts";
import { buildLoadCorpus, type LoadOptions, type LoadResult } from "../load.ts";
import { cpuSecondsOf, rssBytesOf } from "../proc.ts";
import { readSentTraces, sampleTraces, type SentTrace } from "../sent-traces.ts";
import { startLoad } from "./load-process.ts";
import type { StartedSystem, TracingSystem } from "./system.ts";

export interface Variant {
  readonly name: string;
  readonly transport: "http" | "grpc";
  readonly spansPerRequest: number;
  readonly gzip: boolean;
}

const Step = z.object({
  /** 0: as fast as it goes. */
  offeredPerSecond: z.number(),
  acceptedSpans: z.number(),
  /** Acknowledged, by the sender's clock. */
  acceptedPerSecond: z.number(),
  /** Acknowledged and found, until the last was found. */
  foundPerSecond: z.number().nullable(),
  drainMs: z.number().nullable(),
  refusals: z.number(),
  ackP50Ms: z.number(),
  ackP99Ms: z.number(),
  cpuSecondsPerMillion: z.number(),
  cpuSecondsPerMillionSettled: z.number(),
  askedSpans: z.number(),
  missingSpans: z.number(),
});
export type Step = z.infer<typeof Step>;

export const IngestRun = z.object({
  system: z.string(),
  version: z.string(),
  setup: z.string(),
  variant: z.string(),
  startedAt: z.string(),
  /** In the order of the offered rates; the last one is as fast as it goes. */
  steps: z.array(Step),
  rssPeakMiB: z.number(),
  bytesPerSpan: z.number().nullable(),
  /** Acknowledged in all loads less what the system counts itself, where it can; negative: doubled. */
  missingByCount: z.number().nullable(),
});
export type IngestRun = z.infer<typeof IngestRun>;

const SAMPLE_TRACES = 150;
const LAST_TRACES = 15;
const DRAIN_LIMIT_MS = 60_000;
const CONNECTION_SPANS = 4096;

export interface IngestPlan {
  readonly variant: Variant;
  /** Spans a second; each is offered for `stepSeconds` before the flat-out load. */
  readonly rates: readonly number[];
  readonly stepSeconds: number;
  readonly seconds: number;
  /** As fast as it goes before anything counts: just-in-time compilers, first merges. */
  readonly warmSeconds: number;
}

/** On a fresh directory: a warm-up that counts for nothing but the bytes stored, the rising rates, then as fast as it goes. */
export async function measureIngest(system: TracingSystem, plan: IngestPlan): Promise<IngestRun> {
  const dir = makeTempDir();
  const started = await system.start(dir);
  let rssPeak = 0;
  const sampler = setInterval(() => (rssPeak = Math.max(rssPeak, rssBytesOf(started.pids()))), 250);
  try {
    const loads = new Loads(system, started, plan.variant);
    await loads.run(plan.warmSeconds, 0);
    const steps: Step[] = [];
    for (const rate of plan.rates) {
      steps.push(await measureStep(loads, rate, plan.stepSeconds));
      if (isPastPeak(steps.at(-1))) break;
    }
    steps.push(await measureStep(loads, 0, plan.seconds));
    clearInterval(sampler);
    const total = await started.countAll();
    const bytes = await started.bytesStored();
    return {
      system: system.name,
      version: system.version,
      setup: system.setup,
      variant: plan.variant.name,
      startedAt: new Date().toISOString(),
      steps,
      rssPeakMiB: rssPeak / 2 ** 20,
      bytesPerSpan: bytes === null ? null : bytes / loads.acceptedSpans,
      missingByCount: total === null ? null : loads.acceptedSpans - total,
    };
  } finally {
    clearInterval(sampler);
    await started.stop();
    removeDir(dir);
  }
}

/** It took less than nine tenths of what was offered: higher rates would only repeat that. */
function isPastPeak(step: Step | undefined): boolean {
  return step !== undefined && step.acceptedPerSecond < 0.9 * step.offeredPerSecond;
}

interface Load {
  readonly result: LoadResult;
  readonly traces: readonly SentTrace[];
}

class Loads {
  readonly system: TracingSystem;
  readonly started: StartedSystem;
  readonly #variant: Variant;
  acceptedSpans = 0;
  #seed = 0;

  constructor(system: TracingSystem, started: StartedSystem, variant: Variant) {
    this.system = system;
    this.started = started;
    this.#variant = variant;
  }

  /** Each load sends traces of its own. */
  async run(seconds: number, spansPerSecond: number, more: Partial<LoadOptions> = {}): Promise<Load> {
    const { transport, spansPerRequest, gzip } = this.#variant;
    const { httpUrl, grpcUrl } = this.started;
    if (transport === "grpc" && grpcUrl === null) throw new Error(`${this.system.name} takes no gRPC`);
    this.#seed += 1;
    const own = { spansPerRequest, seed: this.#seed, startMs: Date.now() };
    const listTraces = readSentTraces(buildLoadCorpus(own));
    const result = await startLoad({
      ...own,
      url: transport === "grpc" ? (grpcUrl ?? "") : httpUrl,
      protocol: this.system.format === "zipkin" ? "zipkin" : transport,
      seconds,
      connections: Math.max(8, Math.min(32, Math.floor(CONNECTION_SPANS / spansPerRequest / 6))),
      gzip,
      spansPerSecond,
      ...more,
    });
    this.acceptedSpans += result.acceptedSpans;
    return { result, traces: listTraces(result.acks) };
  }
}

async function measureStep(loads: Loads, offeredPerSecond: number, seconds: number): Promise<Step> {
  const { started, system } = loads;
  const cpuBefore = cpuSecondsOf(started.pids());
  const { result, traces } = await loads.run(seconds, offeredPerSecond);
  const sentAtMs = result.startedAtMs + result.seconds * 1000;
  const isFound = system.isSearchable && (await waitUntilFound(started, traces.slice(-LAST_TRACES)));
  const foundAtMs = isFound ? Date.now() : null;
  const cpu = cpuSecondsOf(started.pids()) - cpuBefore;
  await started.settle();
  const settledCpu = cpuSecondsOf(started.pids()) - cpuBefore;
  const asked = system.isSearchable ? sampleTraces(traces, SAMPLE_TRACES) : [];
  const millions = result.acceptedSpans / 1e6;
  return {
    offeredPerSecond,
    acceptedSpans: result.acceptedSpans,
    acceptedPerSecond: result.acceptedSpans / result.seconds,
    foundPerSecond: foundAtMs === null ? null : (result.acceptedSpans * 1000) / (foundAtMs - result.startedAtMs),
    drainMs: foundAtMs === null ? null : foundAtMs - sentAtMs,
    refusals: result.refusals,
    ackP50Ms: result.ackMs.p50,
    ackP99Ms: result.ackMs.p99,
    cpuSecondsPerMillion: cpu / millions,
    cpuSecondsPerMillionSettled: settledCpu / millions,
    askedSpans: spansOf(asked),
    missingSpans: await countMissing(started, asked),
  };
}

function spansOf(traces: readonly SentTrace[]): number {
  return traces.reduce((sum, { spanCount }) => sum + spanCount, 0);
}

/** Whether all of them were found whole before the limit. */
async function waitUntilFound(started: StartedSystem, traces: readonly SentTrace[]): Promise<boolean> {
  const untilMs = performance.now() + DRAIN_LIMIT_MS;
  for (const { traceId, spanCount } of traces.toReversed()) {
    while ((await started.countSpans(traceId)) < spanCount) {
      if (performance.now() > untilMs) return false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return true;
}

/** Spans of these traces that the query API does not tell of. */
async function countMissing(started: StartedSystem, traces: readonly SentTrace[]): Promise<number> {
  let missing = 0;
  for (const { traceId, spanCount } of traces) missing += Math.max(0, spanCount - (await started.countSpans(traceId)));
  return missing;
}

export const KillRun = z.object({
  system: z.string(),
  version: z.string(),
  startedAt: z.string(),
  acknowledgedSpans: z.number(),
  missingSpans: z.number(),
});
export type KillRun = z.infer<typeof KillRun>;

const KILL_RATE = 4000;
const KILL_AFTER_MS = 4000;
const KILL_VARIANT: Variant = { name: "http-20", transport: "http", spansPerRequest: 20, gzip: false };

/** kill -9 under a moderate load, a start on the same directory, and then every acknowledged trace is asked for. */
export async function measureKill(system: TracingSystem): Promise<KillRun> {
  const dir = makeTempDir();
  let started = await system.start(dir);
  try {
    const loads = new Loads(system, started, KILL_VARIANT);
    const sending = loads.run(60, KILL_RATE, { endsWithReceiver: true });
    await new Promise((resolve) => setTimeout(resolve, KILL_AFTER_MS));
    await started.kill();
    const { result, traces } = await sending;
    started = await system.start(dir);
    await waitUntilQuiet(started, traces);
    return {
      system: system.name,
      version: system.version,
      startedAt: new Date().toISOString(),
      acknowledgedSpans: result.acceptedSpans,
      missingSpans: await countMissing(started, traces),
    };
  } finally {
    await started.stop();
    removeDir(dir);
  }
}

const QUIET_MS = 8000;

/** A log that is read back takes its time: until the last traces are there, or for a while none more has come. */
async function waitUntilQuiet(started: StartedSystem, traces: readonly SentTrace[]): Promise<void> {
  const last = traces.slice(-LAST_TRACES);
  let missing = await countMissing(started, last);
  let changedMs = performance.now();
  while (missing > 0 && performance.now() - changedMs < QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = await countMissing(started, last);
    if (now !== missing) changedMs = performance.now();
    missing = now;
  }
}
