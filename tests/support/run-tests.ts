/**
 * `npm test`: every *.test.ts of the repository, unit tests first, then the suites of tests/ that start real processes.
 * `--only NAME` keeps the files whose path has NAME in it; `--full` asks the fault suites for their long form.
 * Where there is a ClickHouse server (CLICKHOUSE_URL, or a binary on PATH), the suites that store spans run a second time, against it.
 * Ends with the line "N passed, N failed, N skipped".
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findChromium } from "./chromium.ts";
import { findClickHouseServer } from "./clickhouse.ts";
import { findKafka } from "./kafka-jars.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { values } = parseArgs({ options: { only: { type: "string" }, full: { type: "boolean", default: false } } });

const all = globSync("{schemas,collector,query-api,ui,deploy,tests}/**/*.test.ts", {
  cwd: root,
  exclude: (path) => path.includes("node_modules"),
});
const files = all.filter((path) => path.includes(values.only ?? "")).toSorted();
if (files.length === 0) throw new Error(`no test file has ${JSON.stringify(values.only)} in its path`);

const { missing } = findChromium({ install: true });
if (missing !== undefined) {
  process.stdout.write(`\n*** NO BROWSER: ${missing}\n*** The page's tests are skipped.\n\n`);
  if (process.env["CI"] === "true") throw new Error("with CI=true a browser is required");
}
const kafka = findKafka({ install: true });
if (kafka.missing !== undefined) {
  process.stdout.write(`\n*** NO KAFKA: ${kafka.missing}\n*** The tests that need a broker are skipped.\n\n`);
  if (process.env["CI"] === "true") throw new Error("with CI=true Java 17 and Maven, for Apache Kafka, are required");
}
/** Some hundred kills take hours. */
const FILE_TIMEOUT_MS = (values.full ? 8 * 60 : 15) * 60_000;
if (values.full) process.env["CALLCHAIN_FAULT_FORM"] = "full";

const counts = { passed: 0, failed: 0, skipped: 0 };
/** What was not tested here, and why: said again at the end, where it is read. */
const skipped: string[] = [];

/** Runs files together, at most so many at once, and counts single tests (suites and files are not counted). */
async function runFiles(paths: readonly string[], concurrency: number): Promise<void> {
  if (paths.length === 0) return;
  const stream = run({ files: paths.map((path) => join(root, path)), concurrency, timeout: FILE_TIMEOUT_MS });
  stream.on("test:pass", ({ name, skip, details }) => {
    if (details.type === "suite") return;
    if (skip === undefined || skip === false) counts.passed += 1;
    else {
      counts.skipped += 1;
      skipped.push(`${name}: ${String(skip)}`);
    }
  });
  stream.on("test:fail", ({ name, details }) => {
    if (details.type === "suite") return;
    counts.failed += 1;
    // A file whose process ended otherwise than by its tests (out of memory, say) has nothing else to show.
    const ending = details.error as Error & { exitCode?: number | null; signal?: string | null }; // as: node sets both on such an error
    if (typeof ending.signal === "string") process.stdout.write(`*** the process of ${name} ended with ${ending.signal}\n`);
  });
  const report = stream.compose(spec);
  for await (const piece of report) process.stdout.write(String(piece));
}

const isHeavy = (path: string): boolean => path.startsWith("tests/") || path.startsWith("deploy/embedded-clickhouse/");
await runFiles(
  files.filter((path) => !isHeavy(path)),
  2,
);
await runFiles(files.filter(isHeavy), 1);

/** Suites that take their ClickHouse from where a server stands in for the engine. */
const takesClickHouse = (path: string): boolean =>
  /"\.\.\/support\/(?:clickhouse|kafka-stack|query-stack)\.ts"/.test(readFileSync(join(root, path), "utf8"));
const server = findClickHouseServer();
if (server === null)
  process.stdout.write(
    "\n*** No ClickHouse server (CLICKHOUSE_URL, clickhouse on PATH): the embedded engine alone was tested.\n",
  );
else {
  process.stdout.write(`\n*** Against the ClickHouse server ${"url" in server ? "at CLICKHOUSE_URL" : "on PATH"}:\n\n`);
  process.env["CALLCHAIN_TEST_CLICKHOUSE"] = "server";
  await runFiles(
    files.filter((path) => isHeavy(path) && takesClickHouse(path)),
    1,
  );
}
for (const what of skipped) process.stdout.write(`\n*** SKIPPED ${what}`);
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
