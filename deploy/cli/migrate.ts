/** `callchain migrate`: says what it does on standard output, or with --dry-run what it would do. */
import { readConfig } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { runMigrate, type MigrateReport } from "../roles/migrate.ts";
import { migrateSettings } from "../roles/settings.ts";

export async function migrateCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(migrateSettings, sources);
  const report = await runMigrate(config, openLog("migrate", config.logLevel));
  process.stdout.write(`${describeReport(report, config.dryRun).join("\n")}\n`);
}

/** The dry run is a script that a ClickHouse client takes: what is not SQL stands behind `--`. */
function describeReport({ steps, topics }: MigrateReport, isDryRun: boolean): string[] {
  const lines = [isDryRun ? "-- ClickHouse: what would be done" : "-- ClickHouse: what was done"];
  if (steps.length === 0) lines.push("-- nothing: the schema is as this release needs it");
  for (const { title, statements } of steps) {
    lines.push(`-- ${title}`);
    if (isDryRun) lines.push(...statements.map((statement) => `${statement};\n`));
  }
  if (topics === null) return lines;
  lines.push("-- Kafka");
  for (const { topic, partitionCount, isMade, remarks } of topics) {
    const done = isMade ? (isDryRun ? "would be made" : "was made") : "exists";
    lines.push(`-- topic ${topic} ${done}, ${partitionCount} ${partitionCount === 1 ? "partition" : "partitions"}`);
    lines.push(...remarks.map((remark) => `--   note: ${remark}`));
  }
  return lines;
}
