import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalLog } from "@callchain/collector/log/local/local-log.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { testSpanLog } from "./span-log.ts";

const logger = openLog("test", "silent");

for (const [name, sizes] of [
  ["local log", {}],
  ["local log of small segments", { segmentBytes: 512 }],
] as const) {
  testSpanLog(name, async () => {
    const dir = await mkdtemp(join(tmpdir(), "callchain-log-"));
    return {
      partitionCount: 1,
      open: () => openLocalLog({ dir, capBytes: 64 * 1024 * 1024, logger, ...sizes }),
      remove: () => rm(dir, { recursive: true, force: true }),
    };
  });
}
