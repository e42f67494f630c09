/** kill -9 of the all-in-one at random moments under load: nothing that was acknowledged is lost, nothing is there twice. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, test } from "node:test";
import { eventually, makeTempDir, removeDir, startCallchain, until } from "../support/process.ts";
import type { CallchainProcess } from "../support/process.ts";
import { Dice } from "./dice.ts";
import { Ledger, NO_FAULTS } from "./ledger.ts";

const KILLS = process.env["CALLCHAIN_FAULT_FORM"] === "full" ? 50 : 5;
const SENDERS = 4;
const dataDir = makeTempDir();
after(() => removeDir(dataDir));

test(
  `${KILLS} kills at random moments: 0 acknowledged spans lost, 0 doubled, and every start needs no repair`,
  { timeout: 30 * 60_000 },
  async (t) => {
    const dice = new Dice(randomInt(2 ** 31));
    t.diagnostic(`seed ${dice.seed}`);
    const ledger = new Ledger();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const callchain = await startCallchain(dataDir);
      const stopping = new AbortController();
      const senders = Array.from({ length: SENDERS }, () => ledger.sendUntil(stopping.signal, () => callchain.otlpHttpUrl, 100));
      const acceptedBefore = ledger.acceptedCount;
      await until("a request is accepted", () => ledger.acceptedCount > acceptedBefore);
      await new Promise((resolve) => setTimeout(resolve, dice.below(2500)));
      await callchain.kill();
      stopping.abort();
      await Promise.all(senders);
    }
    const callchain: CallchainProcess = await startCallchain(dataDir);
    try {
      await eventually(async () => {
        assert.deepEqual(await ledger.compare(callchain.engineUrl), NO_FAULTS);
      });
      t.diagnostic(`${ledger.acceptedCount} acknowledged spans, all found once`);
    } finally {
      assert.equal(await callchain.stop(), 0, callchain.output());
    }
  },
);
