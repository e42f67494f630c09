/** `npm run bench -- NAME [arguments]`: one benchmark, or all of them in turn. Timings compare only within one run on one machine. */
import { cpus, totalmem } from "node:os";
import { runAggregatesBench } from "./aggregates.ts";
import { runDistributedBench } from "./distributed.ts";
import { runIngestBench } from "./ingest.ts";
import { runKafkaBench } from "./kafka.ts";
import { runLimitBench } from "./limit.ts";
import { runQueryBench } from "./query.ts";
import { runReceiveBench } from "./receive.ts";
import { runStorageBench } from "./storage.ts";
import { runTranscodeBench } from "./transcode.ts";
import { runUiBench } from "./ui.ts";

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  transcode: runTranscodeBench,
  ingest: runIngestBench,
  receive: runReceiveBench,
  kafka: runKafkaBench,
  distributed: runDistributedBench,
  aggregates: runAggregatesBench,
  query: runQueryBench,
  storage: runStorageBench,
  limit: runLimitBench,
  ui: runUiBench,
};

const [name, ...args] = process.argv.slice(2);
const chosen = name === undefined ? Object.values(benches) : [benches[name]];
process.stdout.write(
  `machine: ${cpus().length} cores of ${cpus()[0]?.model ?? "an unnamed processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n\n`,
);
for (const bench of chosen) {
  if (bench === undefined) throw new Error(`no benchmark ${JSON.stringify(name)}; accepted: ${Object.keys(benches).join(", ")}`);
  await bench(args);
}
