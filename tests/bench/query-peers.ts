/**
 * `npm run bench -- query --peers`: the same day of spans in Callchain and in Jaeger and Zipkin, each on the one core, and the same
 * questions to each in turn, so that a busy machine slows them alike.
 *
 *   --systems callchain,jaeger-memory,jaeger-badger,zipkin-memory (those)   --spans 1000000   --repeats 20
 *   --beside 0    spans a second sent to the system that is asked, while it is asked
 *   --cold        only those that keep spans: a new start with the files out of the page cache, each question once
 *   --out bench-results   --append
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import { z } from "zod";
import { makeTempDir, removeDir } from "../support/process.ts";
import { findSystems } from "./ingest-peers.ts";
import { DAY_NANO, fillDay, type SeenSpan } from "./peers/fill.ts";
import { startLoad } from "./peers/load-process.ts";
import { countFound, dialectOf, QUESTIONS, type Day, type Question } from "./peers/questions.ts";
import { SENDER_CORE, type StartedSystem, type TracingSystem } from "./peers/system.ts";
import { cpuSecondsOf, pin } from "./proc.ts";
import { formatNumber, formatRatio, formatTable, groupBy, percentileOf, spreadOf, writeReport } from "./report.ts";

export const QueryRun = z.object({
  system: z.string(),
  version: z.string(),
  spans: z.number(),
  /** "warm", "cold", or "beside N/s". */
  state: z.string(),
  question: z.string(),
  timesMs: z.array(z.number()),
  cpuMs: z.number(),
  /** Traces, or edges of a graph, in each answer; null: it holds neither. */
  found: z.array(z.number().nullable()),
  answerBytes: z.number(),
});
export type QueryRun = z.infer<typeof QueryRun>;

interface Filled {
  readonly system: TracingSystem;
  readonly dir: string;
  started: StartedSystem;
  seen: readonly SeenSpan[];
}

const OPTIONS = {
  systems: { type: "string", default: "callchain,jaeger-memory,jaeger-badger,zipkin-memory" },
  spans: { type: "string", default: "1000000" },
  repeats: { type: "string", default: "20" },
  beside: { type: "string", default: "0" },
  cold: { type: "boolean", default: false },
  out: { type: "string", default: "bench-results" },
  append: { type: "boolean", default: false },
} as const;

const WARM_REPEATS = 3;
/** A question that takes seconds is asked less often; once at the least. */
const ASK_LIMIT_MS = 8000;
/** Values that a warm-up asks for are others than those that are timed. */
const WARM_OFFSET = 10_000;

export async function runQueryPeers(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const [spanCount, repeats, beside] = [Number(values.spans), Number(values.repeats), Number(values.beside)];
  const systems = findSystems(values.systems).filter(({ isSearchable }) => isSearchable);
  pin([process.pid], SENDER_CORE);
  const fromNano = ((BigInt(Date.now()) * 1_000_000n) / DAY_NANO) * DAY_NANO - DAY_NANO;
  const filled: Filled[] = [];
  const runs: QueryRun[] = [];
  try {
    for (const system of systems) {
      const dir = makeTempDir();
      const one: Filled = { system, dir, started: await system.start(dir), seen: [] };
      filled.push(one);
      const startedMs = performance.now();
      one.seen = await fillDay(system, one.started, { spanCount, fromNano });
      await waitForLast(one);
      process.stderr.write(
        `${system.name} holds ${spanCount} spans after ${Math.round((performance.now() - startedMs) / 1000)} s\n`,
      );
    }
    const ask = { fromNano, spanCount, repeats };
    if (values.cold)
      for (const one of filled.filter(({ system }) => system.isPersistent)) runs.push(...(await askCold(one, ask)));
    else if (beside > 0) for (const one of filled) runs.push(...(await askBeside(one, ask, beside)));
    else runs.push(...(await askInTurn(filled, ask)));
  } finally {
    for (const { started, dir } of filled) {
      await started.stop();
      removeDir(dir);
    }
  }
  const report = { dir: values.out, name: "query-peers", isAppended: values.append };
  process.stdout.write(writeReport({ ...report, run: QueryRun, runs, toMarkdown: formatQueries }));
}

interface Asking {
  readonly fromNano: bigint;
  readonly spanCount: number;
  readonly repeats: number;
}

async function waitForLast({ started, seen, system }: Filled): Promise<void> {
  const untilMs = performance.now() + 60_000;
  for (const { traceId } of seen.slice(-20)) {
    while ((await started.countSpans(traceId)) === 0) {
      if (performance.now() > untilMs) throw new Error(`${system.name} does not find trace ${traceId} after a minute`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await started.catchUp?.();
  await started.settle();
}

interface Answered {
  readonly timeMs: number;
  readonly bytes: number;
  readonly found: number | null;
}

/** Milliseconds until the whole body has arrived. Null: there is no such question. */
async function askOnce(one: Filled, question: Question, day: Day, repeat: number): Promise<Answered | null> {
  const path = question.ask(dialectOf(one.system.name), day, repeat);
  if (path === null) return null;
  const startedMs = performance.now();
  const response = await fetch(`${one.started.queryUrl}${path}`, { headers: { "accept-encoding": "identity" } });
  const body = await response.bytes();
  const timeMs = performance.now() - startedMs;
  const text = new TextDecoder().decode(body);
  if (response.status !== 200) throw new Error(`${one.system.name} ${path}: ${response.status} ${text.slice(0, 300)}`);
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  return { timeMs, bytes: body.length, found: isJson ? countFound(JSON.parse(text)) : null };
}

/** null: there is no such question, or the peer failed at it, which is said. A fault of Callchain's ends the bench. */
async function askRepeatedly(one: Filled, question: Question, asking: Asking, state: string, from = 0): Promise<QueryRun | null> {
  try {
    return await measureRepeatedly(one, question, asking, state, from);
  } catch (error) {
    if (one.system.name === "callchain") throw error;
    process.stderr.write(`${one.system.name} failed at ${question.name}: ${messageOf(error)}\n`);
    return null;
  }
}

async function measureRepeatedly(
  one: Filled,
  question: Question,
  asking: Asking,
  state: string,
  from: number,
): Promise<QueryRun | null> {
  const day = { fromNano: asking.fromNano, seen: one.seen };
  const repeats = Math.min(asking.repeats, question.repeatsMax ?? asking.repeats);
  const answers: Answered[] = [];
  const cpuBefore = cpuSecondsOf(one.started.pids());
  const untilMs = performance.now() + ASK_LIMIT_MS;
  for (let repeat = 0; repeat < repeats && (repeat === 0 || performance.now() < untilMs); repeat += 1) {
    const answer = await askOnce(one, question, day, from + repeat);
    if (answer === null) return null;
    answers.push(answer);
  }
  return {
    system: one.system.name,
    version: one.system.version,
    spans: asking.spanCount,
    state,
    question: question.name,
    timesMs: answers.map(({ timeMs }) => Math.round(timeMs * 100) / 100),
    cpuMs: ((cpuSecondsOf(one.started.pids()) - cpuBefore) * 1000) / answers.length,
    found: answers.map(({ found }) => found),
    answerBytes: spreadOf(answers.map(({ bytes }) => bytes)).median,
  };
}

async function askAll(one: Filled, asking: Asking, state: string): Promise<QueryRun[]> {
  const runs: QueryRun[] = [];
  for (const question of QUESTIONS) {
    const run = await askRepeatedly(one, question, asking, state);
    if (run !== null) runs.push(run);
  }
  return runs;
}

async function askInTurn(filled: readonly Filled[], asking: Asking): Promise<QueryRun[]> {
  const runs: QueryRun[] = [];
  for (const question of QUESTIONS) {
    for (const one of filled) {
      await askRepeatedly(one, question, { ...asking, repeats: WARM_REPEATS }, "", WARM_OFFSET);
      const run = await askRepeatedly(one, question, asking, "warm");
      if (run === null) continue;
      runs.push(run);
      process.stderr.write(`${one.system.name}, ${question.name}: ${formatNumber(spreadOf(run.timesMs).median, 1)} ms\n`);
    }
  }
  return runs;
}

async function askBeside(one: Filled, asking: Asking, spansPerSecond: number): Promise<QueryRun[]> {
  const isZipkin = one.system.format === "zipkin";
  const end = new AbortController();
  const sending = (async (): Promise<void> => {
    for (let seed = 1; !end.signal.aborted; seed += 1) {
      const protocol = isZipkin ? "zipkin" : "http";
      await startLoad({
        url: one.started.httpUrl,
        protocol,
        spansPerRequest: 512,
        seconds: 5,
        connections: 4,
        spansPerSecond,
        seed,
      });
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  try {
    return await askAll(one, asking, `beside ${spansPerSecond}/s`);
  } finally {
    end.abort();
    await sending;
  }
}

/** Every question once, with values that were not asked for before, after a new start without the files in memory. */
async function askCold(one: Filled, asking: Asking): Promise<QueryRun[]> {
  await one.started.stop();
  dropFromPageCache(one.dir);
  one.started = await one.system.start(one.dir);
  return askAll(one, { ...asking, repeats: 1 }, "cold");
}

function dropFromPageCache(dir: string): void {
  const drop = 'sync; find "$1" -type f -exec dd if={} iflag=nocache count=0 status=none \\;';
  const { status, stderr } = spawnSync("sh", ["-c", drop, "sh", dir], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the files of ${dir} were not dropped from the page cache: ${stderr}`);
}

export function formatQueries(runs: readonly QueryRun[]): string {
  const parts = [...groupBy(runs, ({ state, spans }) => `${state}, ${formatNumber(spans)} spans over 24 h`)];
  return parts.map(([title, members]) => `### ${title}\n\n${formatState(members)}`).join("\n\n");
}

function formatState(runs: readonly QueryRun[]): string {
  const systems = [...groupBy(runs, ({ system }) => system).keys()];
  const rows = [...groupBy(runs, ({ question }) => question)].map(([question, members]) => {
    const times = (system: string): number[] => members.filter((run) => run.system === system).flatMap((run) => run.timesMs);
    const own = times("callchain");
    const ownMedian = own.length === 0 ? undefined : spreadOf(own).median;
    const cells = systems.map((system) => {
      const list = times(system);
      if (list.length === 0) return "-";
      const found = members.filter((run) => run.system === system).flatMap((run) => run.found.filter((count) => count !== null));
      const median = spreadOf(list).median;
      const beside = system === "callchain" ? "" : ` = ${formatRatio(median, ownMedian)}`;
      const counts = found.length === 0 ? "" : ` [${formatNumber(spreadOf(found).median, 1)}]`;
      return `${formatNumber(median, 1)} / ${formatNumber(percentileOf(list, 0.95), 1)}${beside}${counts}`;
    });
    return [question, ...cells];
  });
  const note = "p50 / p95 in ms until the whole answer is there = median beside Callchain's [traces or edges in the answer]";
  return `${note}\n\n${formatTable(["question", ...systems], rows)}`;
}
