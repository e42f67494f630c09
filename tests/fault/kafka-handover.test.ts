/** Partitions that change hands under load: joins and leaves, and writers that come back from the dead. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, test } from "node:test";
import { kafkaMissing } from "../support/kafka-broker.ts";
import { startKafkaStack, type KafkaStack, type StackRole } from "../support/kafka-stack.ts";
import { eventually, until } from "../support/process.ts";
import { Dice } from "./dice.ts";
import { Ledger, NO_FAULTS } from "./ledger.ts";
import { underLoad } from "./load.ts";

const IS_FULL = process.env["CALLCHAIN_FAULT_FORM"] === "full";
const CHANGES = IS_FULL ? 100 : 3;
const ZOMBIES = IS_FULL ? 50 : 1;
const PARTITIONS = 6;
const WRITERS_MAX = 4;
const skip = kafkaMissing();
const timeout = 4 * 3_600_000;

let stack: KafkaStack;
before(async () => {
  if (skip === false) stack = await startKafkaStack();
});
after(() => stack?.stop());

/** Partitions that the writer reads now: a gauge has one value for each. */
async function partitionsOf(writer: StackRole): Promise<number> {
  return (await writer.metric("callchain_log_lag_records")).count;
}

/** Of all runs: that costs the engine nothing, and it is asked often. */
async function countStored(): Promise<number> {
  const { rows } = await stack.database.query<{ n: string }>("SELECT count() AS n FROM spans");
  return Number(rows[0]?.n);
}

/** Everything accepted so far is stored, so no partition stands still. `before` were stored when the ledger began. */
async function untilStored(ledger: Ledger, before: number): Promise<void> {
  const wanted = before + ledger.acceptedCount;
  await until(`${wanted} spans are stored`, async () => (await countStored()) >= wanted);
}

test(`${CHANGES} joins and leaves: no partition stands still, 0 lost, 0 doubled`, { timeout, skip }, async (t) => {
  const dice = new Dice(randomInt(2 ** 31));
  t.diagnostic(`seed ${dice.seed}`);
  const config = await stack.broker.freshTopic(PARTITIONS);
  const ledger = new Ledger();
  const storedBefore = await countStored();
  const receiver = await stack.startRole("receive", config);
  const writers = [await stack.startRole("write", config)];
  const changeWriters = async (): Promise<void> => {
    for (let change = 0; change < CHANGES; change += 1) {
      const isJoin = writers.length === 1 || (writers.length < WRITERS_MAX && dice.below(2) === 0);
      if (isJoin) writers.push(await stack.startRole("write", config));
      else {
        const [leaver] = writers.splice(dice.below(writers.length), 1);
        assert.equal(await leaver?.stop(), 0, leaver?.output());
      }
      if (dice.below(2) === 0) await untilStored(ledger, storedBefore);
    }
    await untilStored(ledger, storedBefore);
    await until("the partitions are shared out", async () => {
      const counts = await Promise.all(writers.map(partitionsOf));
      return counts.every((count) => count > 0) && counts.reduce((sum, count) => sum + count, 0) === PARTITIONS;
    });
  };
  await underLoad(ledger, 1, () => receiver.otlpHttpUrl, changeWriters);
  await eventually(async () => assert.deepEqual(await ledger.compare(stack.engine.url), NO_FAULTS));
  t.diagnostic(`${ledger.acceptedCount} acknowledged spans, all found once`);
  await Promise.all([receiver, ...writers].map((role) => role.stop()));
});

test(
  `${ZOMBIES} writers stopped until others had their partitions, and woken: 0 lost, 0 doubled`,
  { timeout, skip },
  async (t) => {
    const dice = new Dice(randomInt(2 ** 31));
    t.diagnostic(`seed ${dice.seed}`);
    const config = await stack.broker.freshTopic(PARTITIONS);
    const ledger = new Ledger();
    const storedBefore = await countStored();
    const receiver = await stack.startRole("receive", config);
    const first = await stack.startRole("write", config);
    const second = await stack.startRole("write", config);
    const both = [first, second] as const;
    const isShared = async (): Promise<boolean> => {
      const [one, other] = await Promise.all(both.map(partitionsOf));
      return one === PARTITIONS / 2 && other === PARTITIONS / 2;
    };
    const stopAndWake = async (): Promise<void> => {
      for (let round = 0; round < ZOMBIES; round += 1) {
        await until("both writers have partitions", isShared);
        const [zombie, survivor] = round % 2 === 0 ? both : ([second, first] as const);
        await new Promise((resolve) => setTimeout(resolve, dice.below(500)));
        zombie.child.kill("SIGSTOP");
        try {
          await until("the other writer has all partitions", async () => (await partitionsOf(survivor)) === PARTITIONS);
          await untilStored(ledger, storedBefore);
        } finally {
          zombie.child.kill("SIGCONT");
        }
      }
      await until("both writers have partitions", isShared);
    };
    await underLoad(ledger, 2, () => receiver.otlpHttpUrl, stopAndWake);
    await eventually(async () => assert.deepEqual(await ledger.compare(stack.engine.url), NO_FAULTS));
    t.diagnostic(`${ledger.acceptedCount} acknowledged spans, all found once`);
    for (const role of [receiver, ...both]) assert.equal(await role.stop(), 0, role.output());
  },
);
