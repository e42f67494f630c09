/** kill -9 of every process of the distributed mode at random moments under load: nothing acknowledged is lost, nothing is there twice. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import process from "node:process";
import { after, before, test } from "node:test";
import { clickHouseIsForeign } from "../support/clickhouse.ts";
import { kafkaMissing } from "../support/kafka-broker.ts";
import { startKafkaStack, type KafkaStack, type StackRole } from "../support/kafka-stack.ts";
import { eventually, until } from "../support/process.ts";
import { Ledger, NO_FAULTS } from "./ledger.ts";
import { Dice } from "./dice.ts";
import { underLoad } from "./load.ts";

const ROUNDS = process.env["CALLCHAIN_FAULT_FORM"] === "full" ? 200 : 1;
const PARTITIONS = 4;
const SENDERS = 3;
const skip = kafkaMissing();

let stack: KafkaStack;
before(async () => {
  if (skip === false) stack = await startKafkaStack();
});
after(() => stack?.stop());

test(
  `${ROUNDS} kills each of receiver, writer, broker and engine: 0 acknowledged spans lost, 0 doubled`,
  { timeout: 4 * 3_600_000, skip },
  async (t) => {
    const dice = new Dice(randomInt(2 ** 31));
    t.diagnostic(`seed ${dice.seed}`);
    const config = await stack.broker.freshTopic(PARTITIONS);
    const ledger = new Ledger();
    let receiver = await stack.startRole("receive", config);
    const writers: StackRole[] = [await stack.startRole("write", config), await stack.startRole("write", config)];
    const kill: Record<string, () => Promise<void>> = {
      receiver: async () => {
        await receiver.kill();
        receiver = await stack.startRole("receive", config);
      },
      writer: async () => {
        const index = dice.below(writers.length);
        await writers[index]?.kill();
        writers[index] = await stack.startRole("write", config);
      },
      broker: async () => {
        await stack.broker.kill();
        await stack.broker.start();
      },
      engine: async () => {
        await until("the engine runs", () => stack.engine.pid !== null);
        if (stack.engine.pid !== null) process.kill(stack.engine.pid, "SIGKILL");
        await until("the engine answers again", () =>
          stack.database.ping().then(
            () => true,
            () => false,
          ),
        );
      },
    };
    const victims = Object.keys(kill).filter((victim) => victim !== "engine" || clickHouseIsForeign() === false);
    const killAll = async (): Promise<void> => {
      for (const victim of dice.shuffle(victims)) {
        const acceptedBefore = ledger.acceptedCount;
        await until("requests are accepted", () => ledger.acceptedCount > acceptedBefore);
        await new Promise((resolve) => setTimeout(resolve, dice.below(600)));
        await kill[victim]?.();
      }
    };
    await underLoad(
      ledger,
      SENDERS,
      () => receiver.otlpHttpUrl,
      async () => {
        for (let round = 0; round < ROUNDS; round += 1) await killAll();
      },
    );
    await eventually(async () => assert.deepEqual(await ledger.compare(stack.engine.url), NO_FAULTS));
    t.diagnostic(`${ledger.acceptedCount} acknowledged spans, all found once`);
    assert.equal(await receiver.stop(), 0, receiver.output());
    for (const writer of writers) assert.equal(await writer.stop(), 0, writer.output());
  },
);
