/** The local log alone on a disk without room, past the space that it leaves free by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openLocalLog, type LocalSpanLog } from "@callchain/collector/log/local/local-log.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { mountSmallDisk } from "../support/tmpfs.ts";

const RECORD = Buffer.alloc(50_000, 1);
const isFull = (error: unknown): boolean =>
  error instanceof Failure && error.code === "unavailable" && /ENOSPC|no space/i.test(error.message);

/** How many records the log delivers until it is idle. */
async function countRecords(log: LocalSpanLog): Promise<number> {
  let count = 0;
  const end = new AbortController();
  const consumer = {
    assign: async () => 0n,
    deliver: async (_partition: number, records: readonly unknown[]) => void (count += records.length),
    idle: () => end.abort(),
    revoke: async () => undefined,
  };
  await log.consume(consumer, end.signal);
  return count;
}

test("on a full disk appends are refused as unavailable and succeed again without a restart", async (t) => {
  const disk = mountSmallDisk(2);
  if ("missing" in disk) {
    // Says what a mount of one's own takes, which not every machine gives.
    t.skip(disk.missing);
    return;
  }
  const open = (): Promise<LocalSpanLog> =>
    openLocalLog({
      dir: `${disk.dir}/data`,
      capBytes: 64 * 1024 * 1024,
      segmentBytes: 256 * 1024,
      freeBytesMin: 0,
      logger: openLog("test", "silent"),
    });
  try {
    const log = await open();
    await log.append(Buffer.from("before"));
    disk.fill(700_000);
    let count = 1;
    const fillUp = async (): Promise<void> => {
      for (; ; count += 1) await log.append(RECORD);
    };
    await assert.rejects(fillUp(), isFull);
    assert.ok(count > 1);
    await assert.rejects(log.append(RECORD), isFull);
    disk.clear();
    await log.append(Buffer.from("behind"));
    assert.equal(await countRecords(log), count + 1);
    await log.stop();
    // What failed left nothing behind that a start would see.
    const again = await open();
    assert.equal(await countRecords(again), count + 1);
    await again.stop();
  } finally {
    disk.unmount();
  }
});
