/**
 * Thousands of broken requests at one running all-in-one: each is answered in its own encoding with what is wrong, none ends or stops
 * the process, and what was accepted can be read. CALLCHAIN_FUZZ_SEED repeats a run.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { Shop } from "@callchain/deploy/demo/demo.ts";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { ExportResponse, RpcStatus } from "../bench/otlp-schema.ts";
import { familyOf } from "../bench/proc.ts";
import { askEngine } from "../support/engine.ts";
import { openGrpc } from "../support/grpc.ts";
import type { GrpcAnswer } from "../support/grpc.ts";
import { eventually, getJson, makeTempDir, removeDir, startCallchain } from "../support/process.ts";
import type { CallchainProcess } from "../support/process.ts";
import { planDelivery, sendGrpc, sendHttp } from "./fuzz/delivery.ts";
import type { Delivery, Encoding, HttpAnswer } from "./fuzz/delivery.ts";
import { Dice } from "./dice.ts";
import { mutateJson } from "./fuzz/json.ts";
import { mutateProtobuf } from "./fuzz/protobuf.ts";
import { Ledger, NO_FAULTS } from "./ledger.ts";

const BODIES = process.env["CALLCHAIN_FAULT_FORM"] === "full" ? 20_000 : 2000;
const SENDERS = 4;
const MIB = 1024 * 1024;
/** INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED: what gRPC has in the place of 4xx. */
const RPC_SENDERS_FAULTS: readonly number[] = [3, 4, 8, 12];
const ALL_TIMES = "from=0&to=9223372036854775807";

const seed = Number(process.env["CALLCHAIN_FUZZ_SEED"] ?? randomInt(2 ** 31));
const dataDir = makeTempDir();
let callchain: CallchainProcess;
before(async () => {
  callchain = await startCallchain(dataDir);
});
after(async () => {
  await callchain.kill();
  removeDir(dataDir);
});

/** Real requests of the demo's shop. */
function buildRequests(): Readonly<Record<Encoding, readonly Uint8Array[]>> {
  const shop = new Shop(seed);
  const now = Date.now();
  const traces = Array.from({ length: 40 }, (_, index) => shop.traces([now - index * 1000]).map(({ span }) => span));
  const encode = (one: (spans: (typeof traces)[number]) => Uint8Array | undefined): Uint8Array[] =>
    traces.flatMap((spans) => one(spans.slice(0, 12)) ?? []);
  return {
    protobuf: encode((spans) => ProtobufTraceSerializer.serializeRequest(spans)),
    json: encode((spans) => JsonTraceSerializer.serializeRequest(spans)),
  };
}

/** The n-th delivery of the seed. */
function buildDelivery(requests: ReturnType<typeof buildRequests>, n: number): Delivery {
  const dice = new Dice(seed + n * 7919);
  const encoding = n % 2 === 0 ? "protobuf" : "json";
  const request = dice.pick(requests[encoding]);
  return planDelivery(dice, encoding === "json" ? mutateJson(dice, request) : mutateProtobuf(dice, request), encoding);
}

interface Told {
  readonly code: number;
  readonly message: string;
}

function decodeStatus(body: Buffer, encoding: Encoding): Told {
  const status: unknown = encoding === "json" ? JSON.parse(body.toString()) : RpcStatus.toObject(RpcStatus.decode(body));
  assert.ok(typeof status === "object" && status !== null && "code" in status && "message" in status);
  return { code: Number(status.code), message: String(status.message) };
}

/** What was left out of an accepted request; null where nothing was. */
function decodePartialSuccess(body: Buffer, encoding: Encoding): { count: number; message: string } | null {
  const answer: unknown =
    encoding === "json" ? JSON.parse(body.toString()) : ExportResponse.toObject(ExportResponse.decode(body), { longs: Number });
  assert.ok(typeof answer === "object" && answer !== null);
  if (!("partialSuccess" in answer)) return null;
  const partial: unknown = answer.partialSuccess;
  assert.ok(typeof partial === "object" && partial !== null && "rejectedSpans" in partial && "errorMessage" in partial);
  return { count: Number(partial.rejectedSpans), message: String(partial.errorMessage) };
}

function checkAccepted(body: Buffer, encoding: Encoding): string {
  const partial = decodePartialSuccess(body, encoding);
  if (partial === null) return "accepted";
  assert.ok(partial.count > 0 && partial.message.length > 10, JSON.stringify(partial));
  return "accepted in part";
}

/** Returns the kind of answer, for the count. */
function checkHttp({ encoding }: Delivery, { httpStatus, mediaType, body }: HttpAnswer): string {
  assert.equal(mediaType, encoding === "json" ? "application/json" : "application/x-protobuf");
  if (httpStatus === 200) return checkAccepted(body, encoding);
  assert.ok(httpStatus >= 400 && httpStatus < 500 && httpStatus !== 429, `status ${httpStatus}`);
  const { code, message } = decodeStatus(body, encoding);
  assert.ok(code > 0 && message.length > 10, `${code}: ${message}`);
  return String(httpStatus);
}

function checkGrpc({ httpStatus, status, message, details, body }: GrpcAnswer): string {
  if (httpStatus === 200 && status === 0) return checkAccepted(body.subarray(5), "protobuf");
  assert.ok(message.length > 10, `status ${httpStatus} ${status}: ${JSON.stringify(message)}`);
  if (httpStatus !== 200) {
    assert.ok(httpStatus >= 400 && httpStatus < 500, `HTTP status ${httpStatus}`);
    return `grpc HTTP ${httpStatus}`;
  }
  assert.ok(status !== null && RPC_SENDERS_FAULTS.includes(status), `grpc-status ${status}: ${message}`);
  assert.equal(decodeStatus(Buffer.from(details, "latin1"), "protobuf").code, status);
  return `grpc ${status}`;
}

/** Resident memory now and at its highest, of the all-in-one and of its engine. */
function memoryOf(pid: number): { nowBytes: number; highestBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
  return { nowBytes: read("VmRSS"), highestBytes: read("VmHWM") };
}

function diagnoseMemory(): string {
  const family = familyOf(callchain.child.pid ?? 0).map((pid) => {
    const { nowBytes, highestBytes } = memoryOf(pid);
    return `${Math.round(nowBytes / MIB)} MiB now, ${Math.round(highestBytes / MIB)} at most`;
  });
  return `memory: all-in-one ${family[0]}; engine ${family.slice(1).join(" and ")}`;
}

async function sendAll(ledger: Ledger): Promise<Map<string, number>> {
  const requests = buildRequests();
  const counts = new Map<string, number>();
  let next = 0;
  const session = await openGrpc(callchain.otlpGrpcUrl);
  const sendOne = async (n: number): Promise<void> => {
    const delivery = buildDelivery(requests, n);
    try {
      const kind =
        delivery.transport === "http"
          ? checkHttp(delivery, await sendHttp(callchain.otlpHttpUrl, delivery))
          : checkGrpc(await sendGrpc(session, delivery));
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    } catch (error) {
      const { transport, headers, bytes } = delivery;
      const shown = bytes.subarray(0, 1500).toString("base64");
      throw new Error(`body ${n} of seed ${seed}, ${transport} ${JSON.stringify(headers)}, ${bytes.length} bytes: ${shown}`, {
        cause: error,
      });
    }
  };
  const work = async (): Promise<void> => {
    while (next < BODIES) {
      next += 1;
      await sendOne(next);
      if (next % 100 === 0) assert.ok(await ledger.send(callchain.otlpHttpUrl, 10), "a good export");
    }
  };
  try {
    await Promise.all(Array.from({ length: SENDERS }, work));
  } finally {
    session.destroy();
  }
  return counts;
}

test(
  `${BODIES} broken bodies: each is told what is wrong, and good ones pass between them`,
  { timeout: 30 * 60_000 },
  async (t) => {
    t.diagnostic(`seed ${seed}`);
    const ledger = new Ledger();
    assert.ok(await ledger.send(callchain.otlpHttpUrl, 10));
    t.diagnostic(`before, ${diagnoseMemory()}`);
    const counts = await sendAll(ledger);
    t.diagnostic(`after, ${diagnoseMemory()}`);
    t.diagnostic(
      [...counts]
        .toSorted(([a], [b]) => a.localeCompare(b))
        .map(([kind, count]) => `${kind}: ${count}`)
        .join(", "),
    );
    assert.ok(ledger.acceptedCount >= (BODIES / 100) * 10, `${ledger.acceptedCount} good spans`);
    for (const kind of ["accepted", "accepted in part", "400", "413", "415", "grpc 3", "grpc 12"]) {
      assert.ok((counts.get(kind) ?? 0) > 0, `no answer was of the kind ${kind}`);
    }
    assert.equal(callchain.child.exitCode, null, callchain.output());
    assert.doesNotMatch(callchain.output(), /a defect|engine ended|unhandled/i);
    const { highestBytes } = memoryOf(callchain.child.pid ?? 0);
    assert.ok(highestBytes < 1024 * MIB, `the all-in-one took ${highestBytes} bytes`);
    await eventually(async () => assert.deepEqual(await ledger.compare(callchain.engineUrl), NO_FAULTS));
  },
);

test("every span that was accepted is stored, and its trace can be read", async (t) => {
  const count = async (): Promise<number | undefined> =>
    (await askEngine<{ n: number }>(callchain.engineUrl, "SELECT count() AS n FROM spans"))[0]?.n;
  const refusedLate = await eventually(async () => {
    const ingest = await getJson(`${callchain.queryUrl}/api/v1/ingest`);
    assert.ok(typeof ingest === "object" && ingest !== null && "acceptedSpanCount" in ingest);
    const deadLetters = await askEngine(callchain.engineUrl, "SELECT log_offset, reason FROM dead_letters");
    if (deadLetters.length === 0) assert.equal(await count(), ingest.acceptedSpanCount);
    return deadLetters;
  });
  assert.deepEqual(refusedLate, [], "what was accepted could not be stored");
  const api = `${callchain.queryUrl}/api/v1`;
  for (const path of ["services", "latency", "dependencies", "attributes"]) await getJson(`${api}/${path}?${ALL_TIMES}`);
  const { traces } = TraceSearchAnswer.parse(await getJson(`${api}/traces?limit=40&${ALL_TIMES}`));
  assert.ok(traces.length > 20, `${traces.length} traces`);
  for (const { traceId } of traces) {
    await getJson(`${api}/traces/${traceId}`);
    await getJson(`${api}/traces/${traceId}?view=tree`);
    assert.equal((await fetch(`${api}/traces/${traceId}?view=skeleton`)).status, 200);
  }
  t.diagnostic(`${traces.length} traces were read`);
  assert.equal(await callchain.stop(), 0, callchain.output());
});
