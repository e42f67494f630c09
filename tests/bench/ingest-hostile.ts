/**
 * `npm run bench -- ingest --hostile [seconds]`: what exporters feel while eight clients ask all that they can. One all-in-one on one
 * pinned core, the senders on another: first the peak, until all is stored, then half of it alone and beside the questions, in turn, so that both see the same
 * store and the same neighbours.
 */
import { openDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { HOSTILE_QUESTIONS, askHostile, buildHostileRequests, type HostileAnswer } from "../support/hostile-questions.ts";
import { makeTempDir, removeDir, startCallchain, until, type CallchainProcess } from "../support/process.ts";
import type { LoadResult } from "./load.ts";
import { startLoad } from "./peers/load-process.ts";
import { SYSTEM_CORE } from "./peers/system.ts";
import { familyOf, pin } from "./proc.ts";
import { formatNumber, formatTable, percentileOf } from "./report.ts";

const CLIENTS = 8;
const SPANS_PER_REQUEST = 512;
const HOSTILE_REQUESTS = 20;
const ROUNDS = 2;

interface Run {
  readonly name: string;
  readonly load: LoadResult;
  readonly answers: readonly HostileAnswer[];
}

export async function runHostileBench(args: readonly string[]): Promise<void> {
  const seconds = Number(args[0] ?? 30);
  const dataDir = makeTempDir();
  const callchain = await startCallchain(dataDir);
  try {
    if (!pin(familyOf(callchain.child.pid ?? 0), SYSTEM_CORE))
      throw new Error("taskset could not pin the processes (util-linux is needed)");
    await sendHostile(callchain);
    const peak = await send(callchain, seconds, 0);
    await untilStored(callchain, peak.acceptedSpans);
    const half = Math.round(peak.acceptedSpans / ((Date.now() - peak.startedAtMs) / 1000) / 2);
    process.stdout.write(`peak: ${formatNumber(2 * half)} spans/s stored\n\n`);
    const runs: Run[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      runs.push({ name: "half the peak alone", load: await send(callchain, seconds, half), answers: [] });
      const asking = new AbortController();
      const asked = askHostile(callchain.queryUrl, CLIENTS, asking.signal);
      const load = await send(callchain, seconds, half);
      asking.abort();
      runs.push({ name: `beside ${CLIENTS} hostile clients`, load, answers: await asked });
    }
    process.stdout.write(`${formatRuns(runs)}\n\n${formatAnswers(runs.flatMap(({ answers }) => answers))}\n`);
  } finally {
    await callchain.stop();
    removeDir(dataDir);
  }
}

async function untilStored({ engineUrl }: CallchainProcess, spanCount: number): Promise<void> {
  const database = openDatabase({ url: engineUrl, role: "writer" });
  try {
    const isStored = async (): Promise<boolean> => {
      const { rows } = await database.query<{ n: string }>("SELECT count() AS n FROM spans");
      return Number(rows[0]?.n) >= spanCount;
    };
    await until("all that was acknowledged is stored", isStored);
  } finally {
    await database.close();
  }
}

async function sendHostile(callchain: CallchainProcess): Promise<void> {
  for (const body of buildHostileRequests(HOSTILE_REQUESTS, BigInt(Date.now() - 3_600_000) * 1_000_000n)) {
    const headers = { "content-type": "application/x-protobuf" };
    const response = await fetch(`${callchain.otlpHttpUrl}/v1/traces`, { method: "POST", headers, body });
    if (response.status !== 200) throw new Error(`status ${response.status} for the long texts`);
    await response.arrayBuffer();
  }
}

let seed = 1;
function send(callchain: CallchainProcess, seconds: number, spansPerSecond: number): Promise<LoadResult> {
  seed += 1;
  const load = { protocol: "http" as const, spansPerRequest: SPANS_PER_REQUEST, connections: 8, seed };
  return startLoad({ ...load, url: callchain.otlpHttpUrl, seconds, spansPerSecond });
}

function formatRuns(runs: readonly Run[]): string {
  const rows = runs.map(({ name, load }) => [
    name,
    formatNumber(load.acceptedSpans / load.seconds),
    `${formatNumber(load.ackMs.p50, 1)} / ${formatNumber(load.ackMs.p99, 1)}`,
    formatNumber(load.refusals),
  ]);
  return formatTable(["run", "spans/s acknowledged", "ack p50 / p99 ms", "refused"], rows);
}

function formatAnswers(answers: readonly HostileAnswer[]): string {
  const rows = HOSTILE_QUESTIONS.flatMap(([name]) => {
    const of = answers.filter((answer) => answer.name === name && answer.status !== null);
    if (of.length === 0) return [[name, "0", "-", "-"]];
    const times = of.map(({ elapsedMs }) => elapsedMs);
    const statuses = [...Map.groupBy(of, ({ status }) => status)].map(([status, all]) => `${all.length} x ${status}`);
    return [[name, statuses.join(", "), formatNumber(percentileOf(times, 0.5)), formatNumber(Math.max(...times))]];
  });
  return formatTable(["question", "answers", "p50 ms", "longest ms"], rows);
}
