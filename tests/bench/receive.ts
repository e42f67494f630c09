/**
 * What receiving costs: CPU of the server process alone per request and per span, HTTP and gRPC, with a log that keeps nothing and
 * with the real one. The generator is another process on the other core. `npm run bench -- receive [seconds of each case]`.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalLog } from "@callchain/collector/log/local/local-log.ts";
import { startReceivers } from "@callchain/collector/receive/receivers.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import type { LogConsumer, SpanLogAppender } from "@callchain/schemas/span/ports.ts";
import type { LoadResult } from "./load.ts";
import { startLoad } from "./peers/load-process.ts";
import { SYSTEM_CORE } from "./peers/system.ts";
import { cpuSecondsOf, pin, rssBytesOf } from "./proc.ts";

const SERVER = "--server";
/** "discard" is no receiver at all: a bare node:http server that reads a body and forgets it. */
const SERVER_KINDS = ["discard", "null", "local"] as const;
export type ServerKind = (typeof SERVER_KINDS)[number];

/** The server's side: prints its URLs and runs until its input ends. */
async function serve(kind: ServerKind, dir: string): Promise<void> {
  if (kind === "discard") {
    await serveNothing();
    return;
  }
  const logger = openLog("bench", "warn");
  const metrics = openMetrics();
  const address = { host: "127.0.0.1", port: 0 };
  const log = kind === "null" ? { append: async () => undefined, stop: async () => undefined } : await openRealLog(dir);
  const appender: SpanLogAppender = log;
  const limits = { requestMaxBytes: 64 * 1024 * 1024, inFlightMaxBytes: 256 * 1024 * 1024 };
  const receivers = await startReceivers({ httpAddress: address, grpcAddress: address, log: appender, limits, metrics, logger });
  process.stdout.write(`${JSON.stringify({ http: receivers.httpUrl, grpc: receivers.grpcUrl })}\n`);
  process.stdin.resume();
  await once(process.stdin, "end");
  await receivers.stop();
  await log.stop();
  process.exit(0);
}

async function serveNothing(): Promise<void> {
  const server = createServer((request, response) => {
    request.resume();
    request.once("end", () => response.writeHead(200, { "content-length": "0" }).end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  // as: a server that listens on a host and port has no other kind of address
  const http = `http://127.0.0.1:${(address as AddressInfo).port}`;
  process.stdout.write(`${JSON.stringify({ http, grpc: "" })}\n`);
  process.stdin.resume();
  await once(process.stdin, "end");
  process.exit(0);
}

/** With a consumer that takes and releases everything, as a writer that keeps up does. */
async function openRealLog(dir: string): Promise<SpanLogAppender & { stop(): Promise<void> }> {
  const log = await openLocalLog({ dir, capBytes: 1024 * 1024 * 1024, logger: openLog("bench", "warn") });
  const end = new AbortController();
  const consumer: LogConsumer = {
    assign: async () => 0n,
    deliver: async (partition, records) => {
      const last = records.at(-1);
      if (last !== undefined) await log.release({ partition, offset: last.offset });
    },
    idle: () => undefined,
    revoke: async () => undefined,
  };
  const consumed = log.consume(consumer, end.signal);
  return {
    append: (request) => log.append(request),
    stop: async () => {
      end.abort();
      await consumed;
      await log.stop();
    },
  };
}

async function lineOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the child has no standard output");
  const lines = createInterface(child.stdout);
  for await (const line of lines) return line;
  throw new Error("the child printed nothing");
}

export interface ReceiveCase {
  readonly kind: ServerKind;
  readonly protocol: "http" | "grpc";
  readonly spansPerRequest: number;
  readonly seconds: number;
  readonly gzip: boolean;
}

export interface ReceiveFigures {
  readonly load: LoadResult;
  /** Of the server process alone. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** A fresh server on one core under the generator on the other, after a warm-up. */
export async function measureReceive({ kind, protocol, spansPerRequest, seconds, gzip }: ReceiveCase): Promise<ReceiveFigures> {
  const dir = await mkdtemp(join(tmpdir(), "callchain-bench-"));
  const child = spawn(process.execPath, [import.meta.filename, SERVER, kind, dir], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const urls: unknown = JSON.parse(await lineOf(child));
    // Printed by `serve` above.
    const { [protocol]: url } = urls as Record<"http" | "grpc", string>;
    const pid = child.pid ?? 0;
    pin([pid], SYSTEM_CORE);
    const options = { url, protocol, spansPerRequest, connections: 16, gzip };
    await startLoad({ ...options, seconds: 1.5 });
    const before = cpuSecondsOf([pid]);
    const result = await startLoad({ ...options, seconds });
    return { load: result, cpuSeconds: cpuSecondsOf([pid]) - before, rssBytes: rssBytesOf([pid]) };
  } finally {
    child.stdin.end();
    if (child.exitCode === null) await once(child, "exit");
    await rm(dir, { recursive: true, force: true });
  }
}

async function measure(one: ReceiveCase): Promise<void> {
  const { kind, protocol, spansPerRequest, gzip } = one;
  const { load: result, cpuSeconds, rssBytes } = await measureReceive(one);
  const usPerRequest = (cpuSeconds * 1e6 * spansPerRequest) / result.acceptedSpans;
  const spansPerCpuSecond = Math.round(result.acceptedSpans / cpuSeconds / 1000);
  process.stdout.write(
    `${kind.padEnd(8)}${protocol.padEnd(5)}${String(spansPerRequest).padStart(4)} spans${gzip ? " gzip" : "     "}  ` +
      `${usPerRequest.toFixed(0).padStart(5)} us CPU/request  ${String(spansPerCpuSecond).padStart(5)}k spans/CPU s  ` +
      `${Math.round(result.acceptedSpans / result.seconds / 1000)}k spans/s sent  ` +
      `ack p50 ${result.ackMs.p50} p99 ${result.ackMs.p99} ms  RSS ${Math.round(rssBytes / 2 ** 20)} MiB\n`,
  );
}

export async function runReceiveBench(args: readonly string[]): Promise<void> {
  const seconds = Number(args[0] ?? 4);
  process.stdout.write("receive: CPU of the server process alone, one pinned core\n");
  for (const kind of ["null", "local"] as const) {
    for (const protocol of ["http", "grpc"] as const) {
      for (const spansPerRequest of [20, 512]) await measure({ kind, protocol, spansPerRequest, seconds, gzip: false });
    }
  }
  for (const protocol of ["http", "grpc"] as const)
    await measure({ kind: "local", protocol, spansPerRequest: 512, seconds, gzip: true });
}

if (import.meta.main) {
  const kind = SERVER_KINDS.find((one) => one === process.argv[3]);
  if (process.argv[2] === SERVER && kind !== undefined) await serve(kind, process.argv[4] ?? "");
  else await runReceiveBench(process.argv.slice(2));
}
