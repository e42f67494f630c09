/** The all-in-one's settings. */
import { setting } from "@callchain/schemas/runtime/config.ts";
import type { ConfigOf } from "@callchain/schemas/runtime/config.ts";

const MIB = 1024 * 1024;

export const allInOneSettings = {
  dataDir: setting.path("./data", "where spans and the log are kept (./data)"),
  queryAddress: setting.address({ host: "127.0.0.1", port: 16686 }, "the page and the query API (127.0.0.1:16686)"),
  otlpHttpAddress: setting.address({ host: "127.0.0.1", port: 4318 }, "OTLP over HTTP (127.0.0.1:4318)"),
  otlpGrpcAddress: setting.address({ host: "127.0.0.1", port: 4317 }, "OTLP over gRPC (127.0.0.1:4317)"),
  engineAddress: setting.address(
    { host: "127.0.0.1", port: 0 },
    "ClickHouse's HTTP interface of the embedded engine (127.0.0.1, a free port)",
  ),
  logMaxBytes: setting.bytes(
    4096 * MIB,
    "acknowledged requests that wait for the engine; at the cap exporters are told to retry (4GiB)",
  ),
  requestMaxBytes: setting.bytes(64 * MIB, "largest request, after decompression (64MiB)"),
  inFlightMaxBytes: setting.bytes(256 * MIB, "memory for requests in flight, all receivers together (256MiB)"),
  corsOrigins: setting.list([], "origins whose browsers may send OTLP, separated by commas (none)"),
  demo: setting.toggle(false, "send the demo shop's traffic too"),
  logLevel: setting.oneOf(["debug", "info", "warn", "error", "silent"], "warn", "how much is logged to standard error (warn)"),
};

export type AllInOneConfig = ConfigOf<typeof allInOneSettings>;
