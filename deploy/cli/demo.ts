/** `callchain demo`: the shop's traffic to any OTLP/HTTP endpoint. */
import { readConfig } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startDemo } from "../demo/demo.ts";
import { demoSettings } from "./demo-settings.ts";
import { Progress } from "./progress.ts";
import { runUntilSignal } from "./run.ts";

export async function demoCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(demoSettings, sources);
  const progress = new Progress("the shop's past", "traces");
  const demo = await startDemo({
    endpoint: config.endpoint.replace(/\/+$/, ""),
    tracesPerSecond: config.rate,
    backfillMinutes: config.backfillMinutes,
    seed: config.seed,
    log: openLog("demo"),
    onProgress: ({ done, total }) => progress.update(done, total),
  });
  process.stderr.write(`callchain: the shop sends ${config.rate} traces a second to ${config.endpoint}; Ctrl-C ends it\n`);
  await runUntilSignal(demo);
}
