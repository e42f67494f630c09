/** kill -9 of the all-in-one at random moments under load: nothing that was acknowledged is lost, nothing is there twice. */
import assert from "node:assert/strict";
import { randomInt, randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { createClient } from "@clickhouse/client";
import { eventually, makeTempDir, removeDir, startCallchain } from "../support/process.ts";
import type { CallchainProcess } from "../support/process.ts";
import { Ledger, NO_FAULTS } from "./ledger.ts";
import type { LedgerRow } from "./ledger.ts";

const KILLS = process.env["CALLCHAIN_FAULT_FORM"] === "full" ? 50 : 5;
const SENDERS = 4;
const dataDir = makeTempDir();
after(() => removeDir(dataDir));

async function readLedger(engineUrl: string, run: string): Promise<LedgerRow[]> {
  const client = createClient({ url: engineUrl });
  try {
    const answer = await client.query({
      query: `SELECT toUInt32(attr_int['ledger.n']) AS n, any(attr_string['ledger.content']) AS content, toUInt32(count()) AS copies
              FROM spans WHERE service = 'ledger' AND attr_string['ledger.run'] = {run:String} GROUP BY n`,
      query_params: { run },
      format: "JSONEachRow",
    });
    return await answer.json<LedgerRow>();
  } finally {
    await client.close();
  }
}

test(
  `${KILLS} kills at random moments: 0 acknowledged spans lost, 0 doubled, and every start needs no repair`,
  { timeout: 30 * 60_000 },
  async (t) => {
    const seed = randomInt(2 ** 31);
    t.diagnostic(`seed ${seed}`);
    const ledger = new Ledger(randomUUID());
    let dice = seed;
    const roll = (max: number): number => {
      dice = (Math.imul(dice, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (dice / 0x7fffffff) * max;
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const callchain = await startCallchain(dataDir);
      const stopping = new AbortController();
      const senders = Array.from({ length: SENDERS }, () => ledger.sendUntil(stopping.signal, () => callchain.otlpHttpUrl, 100));
      await new Promise((resolve) => setTimeout(resolve, 300 + roll(2500)));
      await callchain.kill();
      stopping.abort();
      await Promise.all(senders);
    }
    const callchain: CallchainProcess = await startCallchain(dataDir);
    try {
      assert.ok(ledger.acceptedCount > KILLS * 100, `only ${ledger.acceptedCount} spans were accepted`);
      await eventually(async () => {
        const rows = await readLedger(callchain.engineUrl, ledger.run);
        assert.deepEqual(ledger.compare(rows), NO_FAULTS);
      }, 60_000);
      t.diagnostic(`${ledger.acceptedCount} acknowledged spans, all found once`);
    } finally {
      assert.equal(await callchain.stop(), 0, callchain.output());
    }
  },
);
