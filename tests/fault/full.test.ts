/** No room: a full disk under the whole all-in-one, and a log at its cap. Senders are told to come again, and nothing is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { familyOf } from "../bench/proc.ts";
import { exportOverGrpc, openGrpc } from "../support/grpc.ts";
import { eventually, getJson, makeTempDir, removeDir, startCallchain, until } from "../support/process.ts";
import type { CallchainProcess } from "../support/process.ts";
import { mountSmallDisk } from "../support/tmpfs.ts";
import type { SmallDisk } from "../support/tmpfs.ts";
import { Ledger, NO_FAULTS, encodeSpans } from "./ledger.ts";

const MIB = 1024 * 1024;
const RPC_RESOURCE_EXHAUSTED = 8;
/** About half a mebibyte of another run: its answer is looked at more closely than the ledger does. */
const TOO_MUCH = encodeSpans("elsewhere", Array.from(Array(2000).keys()));
/** The ledger's spans lie around here, whatever the clock says. */
const ALL_TIMES = "from=0&to=9000000000000000000";

/** Sends while the work is done; the ledger then agrees with the store. */
async function whileSending(callchain: CallchainProcess, ledger: Ledger, work: () => Promise<void>): Promise<void> {
  const sending = new AbortController();
  const senders = [1, 2].map(() => ledger.sendUntil(sending.signal, () => callchain.otlpHttpUrl, 200));
  try {
    await work();
  } finally {
    sending.abort();
    await Promise.all(senders);
  }
  await eventually(async () => assert.deepEqual(await ledger.compare(callchain.engineUrl), NO_FAULTS));
}

async function untilRefused(ledger: Ledger): Promise<void> {
  const before = ledger.refusedCount;
  await until("ten more requests are refused", () => ledger.refusedCount >= before + 10);
}

async function untilAccepted(ledger: Ledger): Promise<void> {
  const before = ledger.acceptedCount;
  await until("2000 more spans are accepted", () => ledger.acceptedCount >= before + 2000);
}

/** Search, one trace and the figures of all, as the page asks for them. */
async function readAll({ queryUrl }: CallchainProcess): Promise<void> {
  const found = TraceSearchAnswer.parse(await getJson(`${queryUrl}/api/v1/traces?service=ledger&limit=1&${ALL_TIMES}`));
  const [trace] = found.traces;
  assert.ok(trace !== undefined && trace.spanCount > 0);
  await getJson(`${queryUrl}/api/v1/traces/${trace.traceId}?view=tree`);
  await getJson(`${queryUrl}/api/v1/services?${ALL_TIMES}`);
  await getJson(`${queryUrl}/api/v1/latency?${ALL_TIMES}`);
  await getJson(`${queryUrl}/ready`);
}

/** Runs on a disk of its own; its process lives through all of it and ends with 0. */
async function onSmallDisk(t: TestContext, run: (disk: SmallDisk, callchain: CallchainProcess) => Promise<void>): Promise<void> {
  const disk = mountSmallDisk(640);
  if ("missing" in disk) {
    // Says what a mount of one's own takes, which not every machine gives.
    t.skip(disk.missing);
    return;
  }
  try {
    const callchain = await startCallchain(`${disk.dir}/data`);
    try {
      await run(disk, callchain);
    } finally {
      assert.equal(await callchain.stop(), 0, callchain.output());
    }
  } finally {
    disk.unmount();
  }
}

/** The embedded engine: the all-in-one's children. They go on when the work is done. */
async function whileEngineStands({ child }: CallchainProcess, work: () => Promise<void>): Promise<void> {
  assert.ok(child.pid !== undefined);
  const engine = familyOf(child.pid).slice(1);
  assert.ok(engine.length > 0, "the engine is a process of its own");
  for (const pid of engine) process.kill(pid, "SIGSTOP");
  try {
    await work();
  } finally {
    for (const pid of engine) process.kill(pid, "SIGCONT");
  }
}

test("a disk without a free byte: refusals to try again, reads work, and it goes on by itself once there is room", async (t) => {
  await onSmallDisk(t, async (disk, callchain) => {
    const ledger = new Ledger();
    await whileSending(callchain, ledger, async () => {
      await untilAccepted(ledger);
      await until("spans are stored", async () => {
        const { traces } = TraceSearchAnswer.parse(await getJson(`${callchain.queryUrl}/api/v1/traces?limit=1&${ALL_TIMES}`));
        return traces.length > 0;
      });
      disk.fill(0);
      await untilRefused(ledger);
      await readAll(callchain);
      await untilRefused(ledger);
      disk.clear();
      await untilAccepted(ledger);
    });
    t.diagnostic(`${ledger.acceptedCount} spans accepted, ${ledger.refusedCount} requests told to come again`);
  });
});

test("a log that fills the disk while the engine stands leaves the room to store what it holds", async (t) => {
  await onSmallDisk(t, async (disk, callchain) => {
    const ledger = new Ledger();
    await whileSending(callchain, ledger, async () => {
      await untilAccepted(ledger);
      await whileEngineStands(callchain, async () => {
        disk.fill(264 * MIB);
        await untilRefused(ledger);
        assert.ok(disk.freeBytes() > 200 * MIB, `${disk.freeBytes()} bytes are left`);
      });
    });
    // Everything is stored, on the room that was left; more is taken where there is more.
    disk.clear();
    await until("a request is accepted", () => ledger.send(callchain.otlpHttpUrl, 10));
    await eventually(async () => assert.deepEqual(await ledger.compare(callchain.engineUrl), NO_FAULTS));
  });
});

test("a log at its cap: 429 and RESOURCE_EXHAUSTED with the time to come again, then everything once", async (t) => {
  const dataDir = makeTempDir();
  const callchain = await startCallchain(dataDir, ["--log-max-bytes", "2MiB"]);
  try {
    const ledger = new Ledger();
    await whileSending(callchain, ledger, async () => {
      await untilAccepted(ledger);
      await whileEngineStands(callchain, async () => {
        await untilRefused(ledger);
        const refusal = await fetch(`${callchain.otlpHttpUrl}/v1/traces`, {
          method: "POST",
          headers: { "content-type": "application/x-protobuf" },
          body: TOO_MUCH,
        });
        assert.equal(refusal.status, 429);
        assert.match(refusal.headers.get("retry-after") ?? "", /^\d+$/);
        assert.match(await refusal.text(), /the log holds its cap of 2097152 bytes/);
        const grpc = await openGrpc(callchain.otlpGrpcUrl);
        try {
          const answer = await exportOverGrpc(grpc, TOO_MUCH);
          assert.equal(answer.status, RPC_RESOURCE_EXHAUSTED);
          assert.match(answer.message, /the log holds its cap/);
          assert.match(answer.details, /RetryInfo/);
        } finally {
          grpc.close();
        }
      });
      await untilAccepted(ledger);
    });
    t.diagnostic(`${ledger.acceptedCount} spans accepted, ${ledger.refusedCount} requests told to come again`);
  } finally {
    assert.equal(await callchain.stop(), 0, callchain.output());
    removeDir(dataDir);
  }
});
