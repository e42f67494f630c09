/** The subcommands in a table; without one, or with flags first, it is `serve`. */
import { describeSettings } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources, Settings } from "@callchain/schemas/runtime/config.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { allInOneSettings } from "../all-in-one/settings.ts";
import { migrateSettings, querySettings, receiveSettings, writeSettings } from "../roles/settings.ts";
import { demoCommand, demoSettings } from "./demo.ts";
import { migrateCommand } from "./migrate.ts";
import { queryCommand, receiveCommand, writeCommand } from "./roles.ts";
import { reportFailure } from "./run.ts";
import { serveCommand } from "./serve.ts";

interface Command {
  readonly summary: string;
  readonly settings: Settings;
  readonly run: (sources: ConfigSources) => Promise<void>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: {
    summary: "receivers, writer, query API and page on the embedded engine, all in one",
    settings: allInOneSettings,
    run: serveCommand,
  },
  receive: { summary: "OTLP receivers into Kafka", settings: receiveSettings, run: receiveCommand },
  write: { summary: "from Kafka into ClickHouse, every span once", settings: writeSettings, run: writeCommand },
  query: { summary: "query API and page on ClickHouse", settings: querySettings, run: queryCommand },
  migrate: { summary: "tables in ClickHouse and topics in Kafka", settings: migrateSettings, run: migrateCommand },
  demo: { summary: "a shop of 13 services with faults in it, sent as OTLP", settings: demoSettings, run: demoCommand },
};

function help(names: readonly string[]): string {
  const blocks = Object.entries(COMMANDS)
    .filter(([name]) => names.includes(name))
    .map(([name, { summary, settings }]) => `callchain ${name}: ${summary}\n${describeSettings(settings)}\n`);
  const order = "Flags win over environment variables, which win over the YAML file named by --config or CALLCHAIN_CONFIG.";
  return [`Usage: callchain [${Object.keys(COMMANDS).join("|")}] [flags]\n`, ...blocks, order, ""].join("\n");
}

/** Runs what the process' arguments ask for. A failure is reported on standard error and in the exit status. */
export async function runCommandLine(): Promise<void> {
  try {
    await runNamed();
  } catch (error) {
    reportFailure(error);
  }
}

async function runNamed(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  const isNamed = first !== undefined && !first.startsWith("-") && first !== "help";
  const name = isNamed ? first : "serve";
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    throw new Failure("invalid", `unknown command ${JSON.stringify(name)}; accepted: ${Object.keys(COMMANDS).join(", ")}, help`);
  }
  if (process.argv.includes("--help") || process.argv.includes("-h") || first === "help") {
    process.stdout.write(help(isNamed ? [name] : Object.keys(COMMANDS)));
    return;
  }
  await command.run({ argv: isNamed ? rest : process.argv.slice(2), env: process.env });
}
