/**
 * `npm run bench -- limit [seconds] [directory of the results]`: what this machine takes for the same bytes at the least (copying,
 * checksums, compression, a bare HTTP server, a file that is synced, rows into a table without indexes), and each stage of Callchain
 * beside its own bound. All of it CPU seconds a million spans on one core, 512 spans a request.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writevSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { scanRequest } from "@callchain/schemas/otlp/scan.ts";
import { z } from "zod";
import { buildCorpus } from "./corpus.ts";
import { measureInserts } from "./limit-engine.ts";
import { measureReceive, type ServerKind } from "./receive.ts";
import { formatNumber, formatRatio, formatTable, spreadOf, writeReport } from "./report.ts";

const SPANS_PER_REQUEST = 512;
const REQUESTS = 40;
const SPANS = SPANS_PER_REQUEST * REQUESTS;
const TURNS = 15;
const WARM_TURNS = 3;
const BLOCKS = 5;

export const LimitRun = z.object({
  startedAt: z.string(),
  bytesPerSpan: z.number(),
  /** CPU seconds a million spans. */
  bounds: z.record(z.string(), z.number()),
  stages: z.array(z.object({ name: z.string(), cost: z.number(), bound: z.string() })),
});
export type LimitRun = z.infer<typeof LimitRun>;

/** The median CPU time of a run over the whole corpus, in seconds a million spans. */
function cpuOf(run: () => void): number {
  const seconds: number[] = [];
  for (let turn = 0; turn < TURNS + WARM_TURNS; turn += 1) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    if (turn >= WARM_TURNS) seconds.push((user + system) / 1e6);
  }
  return (spreadOf(seconds).median / SPANS) * 1e6;
}

function measureBytes(requests: readonly Uint8Array[]): Record<string, number> {
  const target = new Uint8Array(requests.reduce((sum, request) => sum + request.length, 0));
  const each =
    (run: (request: Uint8Array) => void): (() => void) =>
    () => {
      for (const request of requests) run(request);
    };
  const gzipped = requests.map((request) => gzipSync(request));
  const zstd = requests.map((request) => zstdCompressSync(request));
  return {
    "memory copy": cpuOf(() => {
      let at = 0;
      for (const request of requests) {
        target.set(request, at);
        at += request.length;
      }
    }),
    "CRC-32 (zlib)": cpuOf(each((request) => void crc32(request))),
    gunzip: cpuOf(() => {
      for (const body of gzipped) gunzipSync(body);
    }),
    "gzip, level 1": cpuOf(each((request) => void gzipSync(request, { level: 1 }))),
    unzstd: cpuOf(() => {
      for (const body of zstd) zstdDecompressSync(body);
    }),
    "zstd, level 3": cpuOf(each((request) => void zstdCompressSync(request))),
    "file, synced every 2 MB": measureFile(requests),
  };
}

function measureFile(requests: readonly Uint8Array[]): number {
  const dir = mkdtempSync(join(tmpdir(), "callchain-limit-"));
  const file = openSync(join(dir, "bytes"), "w");
  try {
    return cpuOf(() => {
      for (let at = 0; at < requests.length; at += 8) {
        writevSync(file, requests.slice(at, at + 8));
        fdatasyncSync(file);
      }
    });
  } finally {
    closeSync(file);
    rmSync(dir, { recursive: true });
  }
}

/** CPU of a server process alone. */
async function measureServer(kind: ServerKind, seconds: number, gzip = false): Promise<number> {
  const { cpuSeconds, load } = await measureReceive({
    kind,
    protocol: "http",
    spansPerRequest: SPANS_PER_REQUEST,
    seconds,
    gzip,
  });
  return (cpuSeconds / load.acceptedSpans) * 1e6;
}

export async function measureLimits(seconds: number): Promise<LimitRun> {
  const requests = buildCorpus({ requestCount: REQUESTS, spansPerRequest: SPANS_PER_REQUEST });
  const block = new SpanBlock();
  const scan = cpuOf(() => {
    for (const request of requests) scanRequest(request);
  });
  const transcode = cpuOf(() => {
    block.reset();
    for (const [at, value] of requests.entries()) block.append({ partition: 0, offset: BigInt(at), value });
    block.encode(20_000);
  });
  const bytes = measureBytes(requests);
  const discard = await measureServer("discard", seconds);
  const receive = await measureServer("null", seconds);
  const logged = await measureServer("local", seconds);
  const gzipped = await measureServer("null", seconds, true);
  const insert = await measureInserts(BLOCKS);
  const bounds = {
    ...bytes,
    "node:http that discards": discard,
    "Native rows read and forgotten": insert.null,
    "Native rows into a table without indexes": insert.bare,
  };
  const stages = [
    { name: "receive over HTTP, validated", cost: receive, bound: "node:http that discards" },
    { name: "- of it the scan", cost: scan, bound: "memory copy" },
    { name: "- more with gzip", cost: gzipped - receive, bound: "gunzip" },
    { name: "log: append, sync, read back", cost: logged - receive, bound: "file, synced every 2 MB" },
    { name: "transcode", cost: transcode, bound: "memory copy" },
    { name: "send the block to the engine", cost: insert.sending, bound: "memory copy" },
    { name: "insert with indexes", cost: insert.spans, bound: "Native rows into a table without indexes" },
    { name: "merges until at rest", cost: insert.spansSettled - insert.spans, bound: "Native rows into a table without indexes" },
  ];
  const size = requests.reduce((sum, request) => sum + request.length, 0);
  return { startedAt: new Date().toISOString(), bytesPerSpan: size / SPANS, bounds, stages };
}

/** Medians over the runs, by name. */
export function formatLimits(runs: readonly LimitRun[]): string {
  const [first] = runs;
  if (first === undefined) return "no runs";
  const boundOf = (name: string): number => spreadOf(runs.map(({ bounds }) => bounds[name] ?? Number.NaN)).median;
  const costOf = (name: string): number =>
    spreadOf(runs.map(({ stages }) => stages.find((stage) => stage.name === name)?.cost ?? Number.NaN)).median;
  const total = first.stages.filter(({ name }) => !name.startsWith("-")).reduce((sum, { name }) => sum + costOf(name), 0);
  const bounds = Object.keys(first.bounds).map((name) => {
    const cost = boundOf(name);
    return [name, formatNumber(cost, 3), `${formatNumber(first.bytesPerSpan / cost)} MB/s`];
  });
  const stages = first.stages.map(({ name, bound }) => [
    name,
    formatNumber(costOf(name), 2),
    name.startsWith("-") ? "" : `${formatNumber((costOf(name) / total) * 100)}%`,
    `${bound}: ${formatNumber(boundOf(bound), 2)}`,
    formatRatio(costOf(name), boundOf(bound)),
  ]);
  return [
    `${formatNumber(first.bytesPerSpan)} bytes a span, ${SPANS_PER_REQUEST} spans a request, ${runs.length} runs; CPU s per 1M spans`,
    formatTable(["the machine's bound", "CPU s per 1M", "of the request's bytes"], bounds),
    formatTable(["stage of Callchain", "CPU s per 1M", "share", "bound beside it", "stage / bound"], stages),
  ].join("\n\n");
}

export async function runLimitBench(args: readonly string[]): Promise<void> {
  const run = await measureLimits(Number(args[0] ?? 4));
  const report = { dir: args[1] ?? "bench-results", name: "limit", isAppended: args[1] !== undefined };
  process.stdout.write(writeReport({ ...report, run: LimitRun, runs: [run], toMarkdown: formatLimits }));
}
