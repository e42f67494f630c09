/** Kafka or ClickHouse away under load: refused in time, bounded, and caught up afterwards. */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, test } from "node:test";
import { rssBytesOf } from "../bench/proc.ts";
import { clickHouseIsForeign } from "../support/clickhouse.ts";
import { kafkaMissing } from "../support/kafka-broker.ts";
import { startKafkaStack, type KafkaStack } from "../support/kafka-stack.ts";
import { eventually, until } from "../support/process.ts";
import { Ledger, NO_FAULTS } from "./ledger.ts";
import { underLoad } from "./load.ts";

const IS_FULL = process.env["CALLCHAIN_FAULT_FORM"] === "full";
const BROKER_AWAY_MS = IS_FULL ? 60_000 : 1_000;
const ENGINE_HUNG_MS = IS_FULL ? 120_000 : 3_000;
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;
const skip = kafkaMissing();
const timeout = 3_600_000;
const MIB = 2 ** 20;

let stack: KafkaStack;
before(async () => {
  if (skip === false) stack = await startKafkaStack();
});
after(() => stack?.stop());

/** In the short form a process has not yet grown to its usual size: its heap, not the outage, decides. */
function checkGrowth(t: { diagnostic(text: string): void }, what: string, before: number, after: number, bytesMax: number): void {
  t.diagnostic(`${what} ${Math.round(before / MIB)} -> ${Math.round(after / MIB)} MiB`);
  if (IS_FULL) assert.ok(after - before <= bytesMax, `${what} grew by ${Math.round((after - before) / MIB)} MiB`);
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

for (const [how, isKilled] of [
  ["killed", true],
  ["hung", false],
] as const) {
  test(`a broker that is ${how}: every request is answered, with a refusal; 0 lost, 0 doubled`, { timeout, skip }, async (t) => {
    const config = await stack.broker.freshTopic(3);
    const ledger = new Ledger();
    const receiver = await stack.startRole("receive", config);
    const writer = await stack.startRole("write", config);
    const breakBroker = async (): Promise<void> => {
      await until("spans are accepted", () => ledger.acceptedCount > 2_000);
      const before = rssBytesOf([receiver.child.pid ?? 0]);
      if (isKilled) await stack.broker.kill();
      else stack.broker.signal("SIGSTOP");
      try {
        await until("requests are refused", () => ledger.refusedCount > 3);
        await pause(BROKER_AWAY_MS);
        checkGrowth(t, "the receiver during the outage", before, rssBytesOf([receiver.child.pid ?? 0]), GROWTH_BYTES_MAX);
      } finally {
        if (isKilled) await stack.broker.start();
        else stack.broker.signal("SIGCONT");
      }
      const acceptedBefore = ledger.acceptedCount;
      await until("spans are accepted again", () => ledger.acceptedCount > acceptedBefore + 1_000);
    };
    await underLoad(ledger, 4, () => receiver.otlpHttpUrl, breakBroker);
    await eventually(async () => assert.deepEqual(await ledger.compare(stack.engine.url), NO_FAULTS));
    t.diagnostic(`${ledger.acceptedCount} acknowledged spans, ${ledger.refusedCount} requests refused`);
    for (const role of [receiver, writer]) assert.equal(await role.stop(), 0, role.output());
  });
}

const skipHang = skip === false ? clickHouseIsForeign() : skip;
test(
  "a ClickHouse that hangs: spans are accepted all the while, and stored once it is back",
  { timeout, skip: skipHang },
  async (t) => {
    const config = await stack.broker.freshTopic(3);
    const ledger = new Ledger();
    const receiver = await stack.startRole("receive", config);
    const writer = await stack.startRole("write", config);
    const hangEngine = async (): Promise<void> => {
      await until("spans are stored", async () => (await writer.metric("callchain_writer_spans_total")).sum > 1_000);
      const enginePid = stack.engine.pid;
      assert.ok(enginePid !== null);
      const before = rssBytesOf([writer.child.pid ?? 0]);
      process.kill(enginePid, "SIGSTOP");
      try {
        const acceptedBefore = ledger.acceptedCount;
        await pause(ENGINE_HUNG_MS);
        await until("spans are still accepted", () => ledger.acceptedCount > acceptedBefore + 1_000);
        checkGrowth(t, "the writer during the hang", before, rssBytesOf([writer.child.pid ?? 0]), 8 * GROWTH_BYTES_MAX);
      } finally {
        process.kill(enginePid, "SIGCONT");
      }
    };
    await underLoad(ledger, 4, () => receiver.otlpHttpUrl, hangEngine);
    await eventually(async () => assert.deepEqual(await ledger.compare(stack.engine.url), NO_FAULTS));
    t.diagnostic(`${ledger.acceptedCount} acknowledged spans, all found once`);
    for (const role of [receiver, writer]) assert.equal(await role.stop(), 0, role.output());
  },
);
