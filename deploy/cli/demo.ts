/** `callchain demo`: the shop's traffic to any OTLP/HTTP endpoint. */
import { readConfig, setting } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startDemo } from "../demo/demo.ts";
import { Progress } from "./progress.ts";
import { runUntilSignal } from "./run.ts";

export const demoSettings = {
  endpoint: setting.text("http://127.0.0.1:4318", "OTLP/HTTP endpoint to send to (http://127.0.0.1:4318)"),
  rate: setting.wholeNumber(5, 1, 10_000, "traces a second (5)"),
  backfillMinutes: setting.wholeNumber(120, 0, 1440, "minutes of the past to fill first (120)"),
  seed: setting.wholeNumber(1, 0, 4_294_967_295, "seed of the shop's dice (1)"),
};

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
