/** The all-in-one's settings. */
import { setting } from "@callchain/schemas/runtime/config.ts";
import type { ConfigOf } from "@callchain/schemas/runtime/config.ts";
import { listenSettings, logLevelSetting, queryFaceSettings, receiverSettings, retentionSetting } from "../roles/settings.ts";

const MIB = 1024 * 1024;

export const allInOneSettings = {
  dataDir: setting.path("./data", "where spans and the log are kept (./data)"),
  ...queryFaceSettings,
  ...receiverSettings,
  engineAddress: setting.address(
    { host: "127.0.0.1", port: 0 },
    "ClickHouse's HTTP interface of the embedded engine (127.0.0.1, a free port)",
  ),
  logMaxBytes: setting.bytes(
    4096 * MIB,
    "acknowledged requests that wait for the engine; at the cap exporters are told to retry (4GiB)",
  ),
  retentionDays: retentionSetting,
  demo: setting.toggle(false, "send the demo shop's traffic too"),
  ...listenSettings,
  logLevel: logLevelSetting("warn"),
};

export type AllInOneConfig = ConfigOf<typeof allInOneSettings>;
