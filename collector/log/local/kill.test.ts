import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { openLocalLog } from "./local-log.ts";

/** Appends numbered records of random sizes from 8 senders, prints each number once it was acknowledged, releases now and then. */
const appender = `
  import { openLocalLog } from ${JSON.stringify(new URL("./local-log.ts", import.meta.url).href)};
  import { openLog } from ${JSON.stringify(import.meta.resolve("@callchain/schemas/runtime/log.ts"))};
  const [dir, first] = process.argv.slice(1);
  const log = await openLocalLog({ dir, capBytes: 1 << 30, segmentBytes: 200_000, logger: openLog("child", "error") });
  let number = Number(first);
  const send = async () => {
    for (;;) {
      const mine = number++;
      const value = Buffer.alloc(12 + Math.floor(Math.random() * 20_000), mine & 255);
      value.writeUInt32LE(mine, 0);
      await log.append(value);
      process.stdout.write(mine + "\\n");
    }
  };
  for (let index = 0; index < 8; index += 1) void send();
`;

const KILLS = 8;

test(
  "every record that was acknowledged before a kill -9 at a random moment is there at the next start",
  { timeout: 60_000 },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "callchain-kill-"));
    const acknowledged: number[] = [];
    try {
      for (let round = 0; round < KILLS; round += 1) {
        const child = spawn(
          process.execPath,
          ["--input-type=module-typescript", "-e", appender, dir, String(round * 1_000_000)],
          {
            stdio: ["ignore", "pipe", "inherit"],
          },
        );
        const goal = acknowledged.length + 20 + Math.floor(Math.random() * 400);
        for await (const line of createInterface(child.stdout)) {
          // The last line may have been cut by the kill; it is taken back below.
          acknowledged.push(Number(line));
          if (acknowledged.length === goal) child.kill("SIGKILL");
        }
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
        acknowledged.pop();
      }
      const log = await openLocalLog({ dir, capBytes: 1 << 30, logger: openLog("test", "error") });
      const found = new Map<number, number>();
      let lastOffset = -1n;
      const end = new AbortController();
      await log.consume(
        {
          assign: async () => 0n,
          deliver: async (_partition, records) => {
            for (const { offset, value } of records) {
              assert.ok(offset > lastOffset);
              lastOffset = offset;
              const number = Buffer.from(value).readUInt32LE(0);
              assert.ok(value.subarray(4).every((byte) => byte === (number & 255)));
              found.set(number, (found.get(number) ?? 0) + 1);
            }
          },
          idle: () => end.abort(),
          revoke: async () => undefined,
        },
        end.signal,
      );
      await log.stop();
      assert.ok(acknowledged.length > KILLS * 10);
      assert.deepEqual(
        acknowledged.filter((number) => found.get(number) !== 1),
        [],
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
);
