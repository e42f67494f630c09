import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";

const MIB = 1024 * 1024;
const IN_FLIGHT_MAX = 128 * MIB;

/** A server in a process of its own, so that its memory can be seen. */
const server = `
  import { startReceivers } from ${JSON.stringify(new URL("./receivers.ts", import.meta.url).href)};
  import { openLog } from ${JSON.stringify(import.meta.resolve("@callchain/schemas/runtime/log.ts"))};
  import { openMetrics } from ${JSON.stringify(import.meta.resolve("@callchain/schemas/runtime/metrics.ts"))};
  const ANY = { host: "127.0.0.1", port: 0 };
  const receivers = await startReceivers({
    httpAddress: ANY, grpcAddress: ANY, log: { append: async () => {} }, metrics: openMetrics(), logger: openLog("child", "error"),
    limits: { requestMaxBytes: ${64 * MIB}, inFlightMaxBytes: ${IN_FLIGHT_MAX} },
  });
  process.stdout.write(receivers.httpUrl + "\\n");
  process.stdin.resume();
  process.stdin.on("end", async () => { await receivers.stop(); process.exit(0); });
`;
const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", server], { stdio: ["pipe", "pipe", "inherit"] });
const [url] = (await once(createInterface(child.stdout), "line")) as [string];
after(async () => {
  child.stdin.end();
  await once(child, "exit");
});

const GOOD = Buffer.from(
  encodeRequestFromJson(
    Buffer.from(
      JSON.stringify({
        resourceSpans: [
          { scopeSpans: [{ spans: [{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "00f067aa0ba902b7" }] }] },
        ],
      }),
    ),
  ),
);

async function send(body: Buffer, coding: string | null): Promise<number> {
  const headers = { "content-type": "application/x-protobuf", ...(coding === null ? {} : { "content-encoding": coding }) };
  const response = await fetch(`${url}/v1/traces`, { method: "POST", headers, body });
  await response.arrayBuffer();
  return response.status;
}

function rssOfServer(): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) * 1024;
}

/** The highest memory of the server while the work runs. */
async function peakRssWhile<T>(work: Promise<T>): Promise<{ result: T; peakBytes: number }> {
  let peakBytes = rssOfServer();
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, rssOfServer());
  }, 5);
  const result = await work;
  clearInterval(watch);
  return { result, peakBytes };
}

function claiming(gzip: Buffer, bytes: number): Buffer {
  const changed = Buffer.from(gzip);
  changed.writeUInt32LE(bytes, changed.length - 4);
  return changed;
}

const zeros = Buffer.alloc(128 * MIB);
const bomb = gzipSync(zeros);
const bombs: readonly (readonly [string, Buffer, string])[] = [
  ["a gzip bomb of 1 GiB that says so", claiming(bomb, 1024 * MIB), "gzip"],
  ["a gzip bomb that says it holds 10 bytes", claiming(bomb, 10), "gzip"],
  [
    "a gzip bomb of 64 members of 16 MiB",
    Buffer.concat(Array.from({ length: 64 }, () => gzipSync(zeros.subarray(0, 16 * MIB)))),
    "gzip",
  ],
  ["a deflate bomb", deflateSync(zeros), "deflate"],
  ["a zstd bomb", zstdCompressSync(zeros), "zstd"],
];

for (const [title, body, coding] of bombs) {
  test(`${title} is refused with 413 within the memory of one request`, async () => {
    const before = rssOfServer();
    const { result, peakBytes } = await peakRssWhile(send(body, coding));
    assert.equal(result, 413);
    assert.ok(peakBytes - before < (64 + 48) * MIB, `grew by ${Math.round((peakBytes - before) / MIB)} MiB`);
  });
}

test("a hundred bombs at once stay within the budget, and a good export is taken behind them", { timeout: 60_000 }, async () => {
  const before = rssOfServer();
  const { result, peakBytes } = await peakRssWhile(
    Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        send(bombs[index % bombs.length]?.[1] ?? bomb, bombs[index % bombs.length]?.[2] ?? "gzip"),
      ),
    ),
  );
  assert.ok(
    result.every((status) => status === 413 || status === 429),
    String(result),
  );
  assert.ok(peakBytes - before < IN_FLIGHT_MAX + 48 * MIB, `grew by ${Math.round((peakBytes - before) / MIB)} MiB`);
  assert.equal(await send(GOOD, null), 200);
});

async function openSender(bytes: number): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.write(`POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${bytes}\r\n\r\n`);
  await once(socket, "connect");
  return socket;
}

function flush(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => socket.write(bytes, () => resolve()));
}

test("bodies that are never finished fill the budget; then others are told to retry until they go", async () => {
  const piece = Buffer.alloc(40 * MIB);
  const senders = await Promise.all([1, 2, 3].map(() => openSender(60 * MIB)));
  await Promise.all(senders.map((sender) => flush(sender, piece)));
  let status = 0;
  while (status !== 429) status = await send(Buffer.alloc(10 * MIB), null);
  for (const sender of senders) sender.destroy();
  while (status !== 200) status = await send(GOOD, null);
});

test("a claimed length takes nothing from the budget until its bytes come", async () => {
  const senders = await Promise.all(Array.from({ length: 50 }, () => openSender(60 * MIB)));
  assert.equal(await send(GOOD, null), 200);
  for (const sender of senders) sender.destroy();
});
