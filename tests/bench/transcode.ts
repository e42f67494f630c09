/**
 * How fast requests become columns, on one core: `npm run bench -- transcode`. Prints spans per second for each way and its ratio
 * to protobufjs. The ways take turns, so that a busy machine slows them alike; figures are medians of the turns.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";
import { scanRequest } from "@callchain/schemas/otlp/scan.ts";
import { buildCorpus } from "./corpus.ts";
import { ExportRequest } from "./otlp-schema.ts";

const SPANS = 20_480;
const TURNS_DEFAULT = 25;

interface Way {
  readonly name: string;
  run(): void;
}

interface Figure {
  readonly name: string;
  readonly spansPerSecond: number;
  readonly ratio: number;
}

function buildWays(requests: readonly Uint8Array[]): Way[] {
  // protobufjs has a faster reader for Buffers.
  const buffers = requests.map((request) => Buffer.from(request));
  const block = new SpanBlock();
  const target = new Uint8Array(requests.reduce((sum, request) => sum + request.length, 0));
  const json = requests.map((request) => new TextEncoder().encode(JSON.stringify(toOtlpJson(request))));
  const transcode = (): void => {
    block.reset();
    let offset = 0n;
    for (const value of requests) block.append({ partition: 0, offset: offset++, value });
    block.encode(20_000);
  };
  const scan = (): void => {
    for (const request of requests) scanRequest(request);
  };
  return [
    {
      name: "protobufjs decode",
      run: () => {
        for (const request of buffers) ExportRequest.decode(request);
      },
    },
    { name: "scan", run: scan },
    { name: "transcode", run: transcode },
    {
      name: "scan + transcode",
      run: () => {
        scan();
        transcode();
      },
    },
    {
      name: "JSON to protobuf",
      run: () => {
        for (const body of json) encodeRequestFromJson(body);
      },
    },
    {
      name: "memory copy",
      run: () => {
        let at = 0;
        for (const request of requests) {
          target.set(request, at);
          at += request.length;
        }
      },
    },
  ];
}

function toOtlpJson(request: Uint8Array): unknown {
  const message = ExportRequest.toObject(ExportRequest.decode(request), { longs: String, bytes: String });
  return JSON.parse(JSON.stringify(message), (key, value: unknown) =>
    /^(trace|span|parentSpan)Id$/.test(key) && typeof value === "string" ? Buffer.from(value, "base64").toString("hex") : value,
  );
}

function measure(requests: readonly Uint8Array[], turns: number): Figure[] {
  const ways = buildWays(requests);
  const times = ways.map((): number[] => []);
  for (let turn = 0; turn < turns + 3; turn++) {
    for (const [index, way] of ways.entries()) {
      const start = process.cpuUsage();
      way.run();
      const used = process.cpuUsage(start);
      // The first turns compile.
      if (turn >= 3) times[index]?.push(used.user + used.system);
    }
  }
  const medians = times.map((list) => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0);
  return ways.map(({ name }, index) => ({
    name,
    spansPerSecond: (SPANS / (medians[index] ?? 1)) * 1e6,
    ratio: (medians[0] ?? 0) / (medians[index] ?? 1),
  }));
}

/**
 * `args`: how many turns to take. Runs in a process of its own: protobufjs takes twice as long in one that has loaded the other
 * benchmarks' libraries, and the comparison shall not gain by that.
 */
export function runTranscodeBench(args: readonly string[]): Promise<void> {
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { stdio: "inherit" });
  return status === 0 ? Promise.resolve() : Promise.reject(new Error(`the benchmark ended with ${status}`));
}

function run(turns: number): void {
  console.log(`transcode: medians of ${turns} turns, CPU time of the process`);
  for (const spansPerRequest of [512, 20]) {
    const requests = buildCorpus({ requestCount: SPANS / spansPerRequest, spansPerRequest, grouping: "service" });
    const bytes = requests.reduce((sum, request) => sum + request.length, 0);
    console.log(`\n${spansPerRequest} spans a request, ${(bytes / SPANS).toFixed(0)} bytes a span`);
    for (const { name, spansPerSecond, ratio } of measure(requests, turns)) {
      const perSecond = `${(spansPerSecond / 1000).toFixed(0)}k spans/s`.padStart(16);
      const perSpan = `${(1e6 / spansPerSecond).toFixed(2)} us/span`.padStart(17);
      console.log(`${name.padEnd(20)}${perSecond}${perSpan}${ratio.toFixed(2).padStart(9)} x`);
    }
  }
}

if (import.meta.main) run(Number(process.argv[2] ?? TURNS_DEFAULT));
