/**
 * `npm run bench -- distributed [seconds] [--cpu-prof DIR]`: the roles as processes between a real broker and the real engine. The measured role has one
 * core (the writer shares it with the engine, whose merges count); sender and broker have the other. The writer works off a backlog of a quarter of
 * the seconds first, then of all: what more it holds then grows with its lag. A profile of the writer takes some CPU itself.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import { startKafkaStack, type KafkaStack, type StackRole } from "../support/kafka-stack.ts";
import { formatProfiles } from "./cpu-profile.ts";
import { waitFor } from "./ingest.ts";
import { startLoad } from "./peers/load-process.ts";
import { SENDER_CORE, SYSTEM_CORE } from "./peers/system.ts";
import { cpuSecondsOf, pin, rssBytesOf } from "./proc.ts";

const PARTITIONS = 6;
/** While the engine hangs and while it catches up: half of what a writer shall store. */
const OUTAGE_SPANS_PER_SECOND = 40_000;
const OUTAGE_SECONDS = 20;
/** What a writer is behind the sender that has nothing to catch up with: its start, a block's age, the insert. */
const BEHIND_SECONDS = 4;
const LIMIT_MS = 300_000;

const pidOf = (role: StackRole): number => role.child.pid ?? 0;
const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
const thousands = (value: number): string => `${Math.round(value / 1000)}k`;

async function numberOf(stack: KafkaStack, sql: string): Promise<number> {
  const { rows } = await stack.database.query<{ n: string | number }>(sql);
  return Number(rows[0]?.n ?? 0);
}

const storedOf = (stack: KafkaStack): Promise<number> => numberOf(stack, "SELECT count() AS n FROM spans");

/** Processes while something runs: CPU seconds they used, and the most memory they held. */
async function watch<T>(
  pids: readonly number[],
  run: () => Promise<T>,
): Promise<{ value: T; cpuSeconds: number; rssPeak: number }> {
  const before = cpuSecondsOf(pids);
  let rssPeak = rssBytesOf(pids);
  const sampler = setInterval(() => (rssPeak = Math.max(rssPeak, rssBytesOf(pids))), 200);
  try {
    const value = await run();
    return { value, cpuSeconds: cpuSecondsOf(pids) - before, rssPeak };
  } finally {
    clearInterval(sampler);
  }
}

/** OTLP/HTTP to records that the broker has acknowledged. Resolves with the number of spans that now wait in the topic. */
async function measureReceiver(stack: KafkaStack, config: KafkaConfig, seconds: number): Promise<number> {
  const receiver = await stack.startRole("receive", config);
  pin([pidOf(receiver)], SYSTEM_CORE);
  const load = { url: receiver.otlpHttpUrl, protocol: "http", spansPerRequest: 512, connections: 16 } as const;
  const warmUp = await startLoad({ ...load, seconds: 3 });
  const { value, cpuSeconds, rssPeak } = await watch([pidOf(receiver)], () => startLoad({ ...load, seconds }));
  await receiver.stop();
  const perMillion = (cpuSeconds * 1e6) / value.acceptedSpans;
  process.stdout.write(
    `receive: ${thousands(value.acceptedSpans / value.seconds)} spans/s, ${perMillion.toFixed(2)} CPU s per 1M = ${thousands(1e6 / perMillion)} spans/s a core; ` +
      `acknowledged in ${value.ackMs.p50} / ${value.ackMs.p99} ms (p50 / p99), ${value.refusals} refused, RSS ${mib(rssPeak)}\n`,
  );
  return warmUp.acceptedSpans + value.acceptedSpans;
}

/** A topic full of spans into the engine, until its merges rest. Resolves with the most memory that the writer held. */
async function measureWriter(
  stack: KafkaStack,
  config: KafkaConfig,
  waiting: number,
  nodeArgs: readonly string[],
): Promise<number> {
  const enginePid = stack.engine.pid ?? 0;
  pin([enginePid], SYSTEM_CORE);
  const writer = await stack.startRole("write", config, nodeArgs);
  pin([pidOf(writer)], SYSTEM_CORE);
  const pids = [pidOf(writer), enginePid];
  const storedBefore = await storedOf(stack);
  const writerRss: number[] = [];
  const settled = await watch(pids, async () => {
    const startMs = performance.now();
    const isStored = async (): Promise<boolean> => {
      writerRss.push(rssBytesOf([pidOf(writer)]));
      return (await storedOf(stack)) - storedBefore >= waiting;
    };
    const engineBefore = cpuSecondsOf([enginePid]);
    const stored = await watch(pids, () => waitFor(isStored, LIMIT_MS, 200));
    const engineSeconds = cpuSecondsOf([enginePid]) - engineBefore;
    const seconds = (performance.now() - startMs) / 1000;
    await waitFor(async () => (await numberOf(stack, "SELECT count() AS n FROM system.merges")) === 0, LIMIT_MS, 500);
    return { seconds, engineSeconds, writerSeconds: stored.cpuSeconds - engineSeconds };
  });
  const found = (await storedOf(stack)) - storedBefore;
  const perMillion = (cpuSeconds: number): string => ((cpuSeconds * 1e6) / waiting).toFixed(2);
  const writerPeak = Math.max(...writerRss);
  await writer.stop();
  process.stdout.write(
    `write: ${thousands(waiting / settled.value.seconds)} spans/s of ${thousands(waiting)} that waited (${found - waiting} more or less than acknowledged); ` +
      `CPU s per 1M: writer ${perMillion(settled.value.writerSeconds)}, engine ${perMillion(settled.value.engineSeconds)}; both until merges rest ${perMillion(settled.cpuSeconds)}; ` +
      `RSS ${mib(settled.rssPeak)}, of it the writer ${mib(writerPeak)}\n`,
  );
  return writerPeak;
}

/** Ingest goes on while the engine hangs, and while the writer catches up with it afterwards. */
async function measureCatchUp(stack: KafkaStack, config: KafkaConfig): Promise<void> {
  const enginePid = stack.engine.pid ?? 0;
  const receiver = await stack.startRole("receive", config);
  pin([pidOf(receiver)], SENDER_CORE);
  const writer = await stack.startRole("write", config);
  pin([pidOf(writer)], SYSTEM_CORE);
  const load = { url: receiver.otlpHttpUrl, protocol: "http", spansPerRequest: 512, connections: 16 } as const;
  const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const storedBefore = await storedOf(stack);
  const sentFromMs = performance.now();
  const sending = startLoad({ ...load, seconds: OUTAGE_SECONDS * 4, spansPerSecond: OUTAGE_SPANS_PER_SECOND });
  await pause(OUTAGE_SECONDS / 2);
  const rssBefore = rssBytesOf([pidOf(writer)]);
  const before = await storedOf(stack);
  process.kill(enginePid, "SIGSTOP");
  await pause(OUTAGE_SECONDS);
  const startMs = performance.now();
  process.kill(enginePid, "SIGCONT");
  const isCaughtUp = async (): Promise<boolean> =>
    (await storedOf(stack)) - storedBefore >=
    ((performance.now() - sentFromMs) / 1000 - BEHIND_SECONDS) * OUTAGE_SPANS_PER_SECOND;
  const caughtUp = await watch([pidOf(writer)], () => waitFor(isCaughtUp, LIMIT_MS, 100));
  const seconds = (performance.now() - startMs) / 1000;
  const perSecond = ((await storedOf(stack)) - before) / seconds;
  const result = await sending;
  await Promise.all([receiver.stop(), writer.stop()]);
  process.stdout.write(
    `catch-up: after ${OUTAGE_SECONDS} s with the engine hung, ${thousands(perSecond)} spans/s stored beside ${thousands(result.acceptedSpans / result.seconds)} spans/s of ingest ` +
      `(${(perSecond / OUTAGE_SPANS_PER_SECOND).toFixed(1)} x), caught up after ${seconds.toFixed(1)} s; ` +
      `the writer's RSS ${mib(rssBefore)} before, ${mib(caughtUp.rssPeak)} at most since\n`,
  );
}

export async function runDistributedBench(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { "cpu-prof": { type: "string" } },
  });
  const profileDir = values["cpu-prof"];
  const seconds = Number(positionals[0] ?? 20);
  const stack = await startKafkaStack();
  try {
    pin([stack.broker.pid], SENDER_CORE);
    const nodeArgs = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
    const lags: string[] = [];
    for (const share of [4, 1]) {
      const config = await stack.broker.freshTopic(PARTITIONS);
      const waiting = await measureReceiver(stack, config, seconds / share);
      const peak = await measureWriter(stack, config, waiting, share === 1 ? nodeArgs : []);
      lags.push(`${mib(peak)} with ${thousands(waiting)} spans behind`);
    }
    process.stdout.write(`memory with lag: the writer held ${lags.join(", ")}\n`);
    await measureCatchUp(stack, await stack.broker.freshTopic(PARTITIONS));
    if (profileDir !== undefined) process.stdout.write(`\n${formatProfiles(profileDir)}\n`);
  } finally {
    await stack.stop();
  }
}
