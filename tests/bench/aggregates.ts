/**
 * The aggregates of the REST API over a filled store: `npm run bench -- aggregates [spans]`. The corpus goes through the transcoder into
 * the embedded engine; then every question is asked over HTTP, beside one scan of the columns that all of them need.
 */
import { SPAN_COLUMNS } from "@callchain/schemas/clickhouse/spans-table.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { DependenciesAnswer } from "@callchain/schemas/api/catalog.ts";
import { Scan } from "@callchain/schemas/api/common.ts";
import { z } from "zod";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { corpusRequests, corpusServiceName } from "./corpus.ts";
import { countRollups } from "./count-rollups.ts";
import { cpuSecondsOf, rssBytesOf } from "./proc.ts";

const SPANS_PER_REQUEST = 500;
const ROWS_PER_BLOCK = 200_000;
const FROM_NANO = 1_768_435_200_000_000_000n;
const DAY_NANO = 86_400_000_000_000n;
const HOUR_NANO = DAY_NANO / 24n;
const REPEATS = 7;

type Params = Readonly<Record<string, string | number | bigint>>;

async function fill(stack: QueryStack, spanCount: number): Promise<void> {
  const columns = SPAN_COLUMNS.map(([name]) => name).join(", ");
  const block = new SpanBlock();
  const flush = async (): Promise<void> => {
    await stack.writer.insert(`INSERT INTO spans (${columns}) FORMAT Native`, block.encode(20_468));
    block.reset();
  };
  const options = { requestCount: Math.ceil(spanCount / SPANS_PER_REQUEST), spansPerRequest: SPANS_PER_REQUEST };
  let offset = 0n;
  for (const value of corpusRequests({ ...options, startNano: FROM_NANO, rangeNano: DAY_NANO })) {
    block.append({ partition: 0, offset, value });
    offset += 1n;
    if (block.rowCount >= ROWS_PER_BLOCK) await flush();
  }
  if (block.rowCount > 0) await flush();
}

interface Figures {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly cpuMs: number;
  readonly rowCount: number;
  readonly isPartial: boolean;
}

async function measure(stack: QueryStack, path: string, params: Params): Promise<Figures> {
  const timesMs: number[] = [];
  const cpuMs: number[] = [];
  let scan: Scan | undefined;
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const cpuBefore = cpuSecondsOf([stack.enginePid()]);
    const startedMs = performance.now();
    const reply = await stack.ask(path, params);
    timesMs.push(performance.now() - startedMs);
    cpuMs.push((cpuSecondsOf([stack.enginePid()]) - cpuBefore) * 1000);
    if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    scan = z.object({ scan: Scan }).parse(reply.body).scan;
  }
  const at = (values: number[], level: number): number =>
    values.toSorted((a, b) => a - b)[Math.floor(level * values.length)] ?? 0;
  return {
    p50Ms: at(timesMs, 0.5),
    p95Ms: at(timesMs, 0.95),
    cpuMs: at(cpuMs, 0.5),
    rowCount: scan?.rows ?? 0,
    isPartial: scan?.partial ?? false,
  };
}

export async function runAggregatesBench(args: readonly string[]): Promise<void> {
  const spanCount = Number(args[0] ?? 5_000_000);
  const stack = await startQueryStack();
  try {
    await fill(stack, spanCount);
    const { builder, elapsedMs, engineCpuSeconds, ownCpuSeconds } = await countRollups(stack);
    await builder.stop();
    process.stdout.write(
      `counted into rollups in ${(elapsedMs / 1000).toFixed(1)} s: CPU s per 1M spans ${((engineCpuSeconds * 1e6) / spanCount).toFixed(2)} of the engine, ${((ownCpuSeconds * 1e6) / spanCount).toFixed(2)} here\n`,
    );
    const day = { from: FROM_NANO, to: FROM_NANO + DAY_NANO };
    const hour = { from: FROM_NANO + DAY_NANO - HOUR_NANO, to: FROM_NANO + DAY_NANO };
    const service = corpusServiceName(3);
    const questions: readonly (readonly [string, string, Params])[] = [
      ["services, 24 h", "/services", day],
      ["services, 1 h", "/services", hour],
      ["one service, 24 h", `/services/${service}`, day],
      ["latency of one service, 24 h", "/latency", { ...day, service }],
      ["latency of one service by version, 24 h", "/latency", { ...day, service, by: "service.version" }],
      ["latency of all by service, 24 h", "/latency", { ...day, by: "service" }],
      ["heatmap of everything, 24 h", "/heatmap", day],
      ["latency of all by http.route, 1 h", "/latency", { ...hour, by: "http.route" }],
      ["service graph, 24 h", "/dependencies", day],
      ["service graph, 1 h", "/dependencies", hour],
      ["attribute names", "/attributes", day],
      ["attribute values", "/attributes/user.id/values", { ...day, prefix: "u-000" }],
    ];
    process.stdout.write(
      `aggregates over ${spanCount.toLocaleString("en-US")} spans of 24 h, ${REPEATS} times each\n\n` +
        "| question | p50 ms | p95 ms | engine CPU ms | rows read | partial |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (const [name, path, params] of questions) {
      const { p50Ms, p95Ms, cpuMs, rowCount, isPartial } = await measure(stack, path, params);
      const cells = [
        name,
        p50Ms.toFixed(0),
        p95Ms.toFixed(0),
        cpuMs.toFixed(0),
        rowCount.toLocaleString("en-US"),
        String(isPartial),
      ];
      process.stdout.write(`| ${cells.join(" | ")} |\n`);
    }
    const graph = DependenciesAnswer.parse((await stack.ask("/dependencies", hour)).body);
    process.stdout.write(
      `\n${graph.nodes.length} nodes, ${graph.edges.length} edges; engine RSS ${Math.round(rssBytesOf([stack.enginePid()]) / 2 ** 20)} MiB\n`,
    );
  } finally {
    await stack.stop();
  }
}
