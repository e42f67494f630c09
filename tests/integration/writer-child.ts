/** A writer in a process of its own, to be killed: `node writer-child.ts LOG_DIR ENGINE_URL`. Writes until it is ended. */
import process from "node:process";
import { openLocalLog } from "@callchain/collector/log/local/local-log.ts";
import { startWriter } from "@callchain/collector/write/writer.ts";
import { openDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";

const [dir, url] = process.argv.slice(2);
if (dir === undefined || url === undefined) throw new Error("usage: writer-child.ts LOG_DIR ENGINE_URL");
const logger = openLog("writer-child", "silent");
const log = await openLocalLog({ dir, capBytes: 1 << 30, logger });
startWriter({
  log,
  database: openDatabase({ url, role: "writer" }),
  metrics: new Registry(),
  logger,
  limits: { blockRowsMax: 600, insertIntervalMinMs: 5 },
});
/** A drained log leaves nothing pending; only the channel to the parent then keeps this process, so it ends with its parent. */
process.on("message", () => undefined);
process.send?.("ready");
