/**
 * `npm run bench -- ingest`: the all-in-one with receivers, log, writer, engine and its merges on one pinned core, the sender on
 * another. What counts is spans acknowledged and later found by query; the clock runs until the last of them is found.
 * `[seconds] [name of a run] [--cpu-prof DIR]`: a profile of the receivers and the writer, which takes some CPU itself. With `--peers` beside
 * other systems: ingest-peers.ts; with `--hostile` beside questions that cost all they can: ingest-hostile.ts.
 */
import { parseArgs } from "node:util";
import { createClient } from "@clickhouse/client";
import type { ClickHouseClient } from "@clickhouse/client";
import { makeTempDir, removeDir, startCallchain } from "../support/process.ts";
import { formatProfiles } from "./cpu-profile.ts";
import { runHostileBench } from "./ingest-hostile.ts";
import { runIngestPeers } from "./ingest-peers.ts";
import type { LoadOptions } from "./load.ts";
import { startLoad } from "./peers/load-process.ts";
import { SYSTEM_CORE } from "./peers/system.ts";
import { bytesOnDisk, cpuSecondsOf, familyOf, pin, rssBytesOf } from "./proc.ts";

export interface IngestFigures {
  readonly name: string;
  readonly spansPerSecond: number;
  readonly cpuSecondsPerMillion: number;
  /** The same until merges have come to rest. */
  readonly cpuSecondsPerMillionSettled: number;
  readonly rssPeakMiB: number;
  readonly bytesPerSpan: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly refusals: number;
  /** The longest time seen between an acknowledgement and being found, under load and idle. */
  readonly searchableLoadedMs: number;
  readonly searchableIdleMs: number;
  readonly missing: number;
}

async function number(client: ClickHouseClient, query: string): Promise<number> {
  const answer = await client.query({ query, format: "JSONEachRow" });
  const [row] = await answer.json<{ n: number | string }>();
  return Number(row?.n ?? 0);
}

const countSpans = (client: ClickHouseClient): Promise<number> => number(client, "SELECT count() AS n FROM spans");

export async function waitFor(check: () => Promise<boolean>, limitMs: number, stepMs = 50): Promise<boolean> {
  const untilMs = performance.now() + limitMs;
  while (performance.now() < untilMs) {
    if (await check()) return true;
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
  return false;
}

/** Sends one trace and waits until the query API finds it. */
async function measureSearchable(otlpHttpUrl: string, queryUrl: string): Promise<number> {
  const id = crypto.randomUUID().replaceAll("-", "");
  const startNano = String(BigInt(Date.now()) * 1_000_000n);
  const span = {
    traceId: id,
    spanId: id.slice(0, 16),
    name: "probe",
    kind: 2,
    startTimeUnixNano: startNano,
    endTimeUnixNano: startNano,
  };
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "probe" } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${otlpHttpUrl}/v1/traces`, { method: "POST", headers, body });
  if (response.status !== 200) return Number.NaN;
  await response.arrayBuffer();
  const ackedMs = performance.now();
  const isFound = async (): Promise<boolean> => {
    const answer = await fetch(`${queryUrl}/api/v1/traces/${id}?view=tree`);
    await answer.arrayBuffer();
    return answer.status === 200;
  };
  return (await waitFor(isFound, 30_000, 20)) ? performance.now() - ackedMs : Number.POSITIVE_INFINITY;
}

/** One run on a fresh directory. */
async function benchIngest(name: string, load: Omit<LoadOptions, "url">, nodeArgs: readonly string[]): Promise<IngestFigures> {
  const dataDir = makeTempDir();
  const callchain = await startCallchain(dataDir, [], nodeArgs);
  const client = createClient({ url: callchain.engineUrl });
  try {
    const pids = familyOf(callchain.child.pid ?? 0);
    if (!pin(pids, SYSTEM_CORE)) throw new Error("taskset could not pin the processes (util-linux is needed)");
    const idle: number[] = [];
    for (let probe = 0; probe < 5; probe += 1) idle.push(await measureSearchable(callchain.otlpHttpUrl, callchain.queryUrl));
    const beforeCount = await countSpans(client);
    const beforeCpu = cpuSecondsOf(pids);
    const beforeByProcess = pids.map((pid) => cpuSecondsOf([pid]));
    let rssPeak = 0;
    const sampler = setInterval(() => (rssPeak = Math.max(rssPeak, rssBytesOf(pids))), 250);
    const loaded: number[] = [];
    const sending = new AbortController();
    const probes = (async (): Promise<void> => {
      while (!sending.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 5000));
        if (!sending.signal.aborted) loaded.push(await measureSearchable(callchain.otlpHttpUrl, callchain.queryUrl));
      }
    })();
    const url = load.protocol === "grpc" ? callchain.otlpGrpcUrl : callchain.otlpHttpUrl;
    const result = await startLoad({ ...load, url });
    sending.abort();
    const lastAckMs = performance.now();
    // The sender starts and builds its corpus first, which is not the system's time.
    const startMs = result.startedAtMs - performance.timeOrigin;
    const expected = beforeCount + result.acceptedSpans;
    await waitFor(async () => (await countSpans(client)) >= expected, 120_000);
    const foundMs = performance.now();
    const cpu = cpuSecondsOf(pids) - beforeCpu;
    clearInterval(sampler);
    await probes;
    const stored = await countSpans(client);
    await waitFor(async () => (await number(client, "SELECT count() AS n FROM system.merges")) === 0, 120_000, 500);
    const settledCpu = cpuSecondsOf(pids) - beforeCpu;
    const millions = result.acceptedSpans / 1e6;
    const [receiverCpu = 0, engineCpu = 0] = pids.map(
      (pid, index) => (cpuSecondsOf([pid]) - (beforeByProcess[index] ?? 0)) / millions,
    );
    const active = "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND table = 'spans'";
    process.stderr.write(
      `${name}: drained ${Math.round(foundMs - lastAckMs)} ms after the last acknowledgement; CPU s per 1M: ${receiverCpu.toFixed(2)} receivers and writer, ${engineCpu.toFixed(2)} engine; ${Math.round(bytesOnDisk(dataDir) / 1e6)} MB in the directory\n`,
    );
    return {
      name,
      spansPerSecond: result.acceptedSpans / ((foundMs - startMs) / 1000),
      cpuSecondsPerMillion: cpu / millions,
      cpuSecondsPerMillionSettled: settledCpu / millions,
      rssPeakMiB: rssPeak / 2 ** 20,
      bytesPerSpan: (await number(client, active)) / stored,
      ackP50Ms: result.ackMs.p50,
      ackP99Ms: result.ackMs.p99,
      refusals: result.refusals,
      searchableLoadedMs: Math.max(0, ...loaded),
      searchableIdleMs: Math.max(...idle),
      missing: Math.max(0, expected - (stored - loaded.length)),
    };
  } finally {
    await client.close();
    await callchain.stop();
    removeDir(dataDir);
  }
}

export function formatIngest(rows: readonly IngestFigures[]): string {
  const n = (value: number, digits = 0): string => value.toLocaleString("en-US", { maximumFractionDigits: digits });
  const head =
    "| run | spans/s found | CPU s per 1M | until merges rest | RSS peak MiB | B/span | ack p50 / p99 ms | searchable idle / loaded ms | refused | missing |";
  const lines = rows.map(
    (row) =>
      `| ${row.name} | ${n(row.spansPerSecond)} | ${n(row.cpuSecondsPerMillion, 2)} | ${n(row.cpuSecondsPerMillionSettled, 2)} | ${n(row.rssPeakMiB)} | ${n(row.bytesPerSpan, 1)} | ${n(row.ackP50Ms, 1)} / ${n(row.ackP99Ms, 1)} | ${n(row.searchableIdleMs)} / ${n(row.searchableLoadedMs)} | ${n(row.refusals)} | ${n(row.missing)} |`,
  );
  return [head, head.replaceAll(/[^|]+/g, " --- "), ...lines].join("\n");
}

export async function runIngestBench(args: readonly string[]): Promise<void> {
  if (args.includes("--peers")) {
    await runIngestPeers(args.filter((argument) => argument !== "--peers"));
    return;
  }
  if (args.includes("--hostile")) {
    await runHostileBench(args.filter((argument) => argument !== "--hostile"));
    return;
  }
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { "cpu-prof": { type: "string" } },
  });
  const profileDir = values["cpu-prof"];
  const nodeArgs = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
  const seconds = Number(positionals[0] ?? 60);
  const runs: (readonly [string, Omit<LoadOptions, "url">])[] = [
    ["HTTP, 512 spans", { protocol: "http", spansPerRequest: 512, seconds, connections: 8 }],
    ["gRPC, 512 spans", { protocol: "grpc", spansPerRequest: 512, seconds, connections: 8 }],
    ["HTTP, 20 spans", { protocol: "http", spansPerRequest: 20, seconds, connections: 32 }],
  ];
  const only = positionals[1];
  const rows: IngestFigures[] = [];
  for (const [name, load] of runs) {
    if (only !== undefined && !name.includes(only)) continue;
    rows.push(await benchIngest(name, load, nodeArgs));
    process.stdout.write(`${formatIngest(rows.slice(-1))}\n\n`);
  }
  process.stdout.write(`${formatIngest(rows)}\n`);
  if (profileDir !== undefined) process.stdout.write(`\n${formatProfiles(profileDir)}\n`);
}
