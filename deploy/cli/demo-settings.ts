/** What the demo can be told. */
import { setting } from "@callchain/schemas/runtime/config.ts";

export const demoSettings = {
  endpoint: setting.text("http://127.0.0.1:4318", "OTLP/HTTP endpoint to send to (http://127.0.0.1:4318)"),
  rate: setting.wholeNumber(5, 1, 10_000, "traces a second (5)"),
  backfillMinutes: setting.wholeNumber(120, 0, 1440, "minutes of the past to fill first (120)"),
  seed: setting.wholeNumber(1, 0, 4_294_967_295, "seed of the shop's dice (1)"),
};
