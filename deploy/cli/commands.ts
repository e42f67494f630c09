/**
 * The subcommands in a table; without one, or with flags first, it is `serve`. What starts a server is read only when it is asked for:
 * a question from a terminal need not wait for it.
 */
import { describeSettings, splitOperands } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources, Settings } from "@callchain/schemas/runtime/config.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { allInOneSettings } from "../all-in-one/settings.ts";
import { migrateSettings, querySettings, receiveSettings, writeSettings } from "../roles/settings.ts";
import { exportCommand, exportSettings } from "./ask/export.ts";
import { importCommand, importSettings } from "./ask/import.ts";
import { tailCommand, tailSettings } from "./ask/tail.ts";
import { traceCommand, traceSettings, tracesCommand, tracesSettings } from "./ask/traces.ts";
import { demoSettings } from "./demo-settings.ts";
import { reportFailure } from "./run.ts";

interface Command {
  readonly summary: string;
  readonly settings: Settings;
  /** What stands after the name beside flags: how it is called in the help, and how many there may be. */
  readonly operands?: { readonly usage: string; readonly min: number; readonly max: number };
  readonly run: (sources: ConfigSources, operands: readonly string[]) => Promise<void>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: {
    summary: "receivers, writer, query API and page on the embedded engine, all in one",
    settings: allInOneSettings,
    run: async (sources) => (await import("./serve.ts")).serveCommand(sources),
  },
  receive: {
    summary: "OTLP receivers into Kafka",
    settings: receiveSettings,
    run: async (sources) => (await import("./roles.ts")).receiveCommand(sources),
  },
  write: {
    summary: "from Kafka into ClickHouse, every span once",
    settings: writeSettings,
    run: async (sources) => (await import("./roles.ts")).writeCommand(sources),
  },
  query: {
    summary: "query API and page on ClickHouse",
    settings: querySettings,
    run: async (sources) => (await import("./roles.ts")).queryCommand(sources),
  },
  migrate: {
    summary: "tables in ClickHouse and topics in Kafka",
    settings: migrateSettings,
    run: async (sources) => (await import("./migrate.ts")).migrateCommand(sources),
  },
  demo: {
    summary: "a shop of 13 services with faults in it, sent as OTLP",
    settings: demoSettings,
    run: async (sources) => (await import("./demo.ts")).demoCommand(sources),
  },
  traces: { summary: "search: a table of traces", settings: tracesSettings, run: tracesCommand },
  trace: {
    summary: "a trace's call tree",
    settings: traceSettings,
    operands: { usage: "ID", min: 1, max: 1 },
    run: traceCommand,
  },
  tail: { summary: "spans as they are stored, until Ctrl-C", settings: tailSettings, run: tailCommand },
  export: { summary: "whole traces as lines of OTLP/JSON", settings: exportSettings, run: exportCommand },
  import: {
    summary: "files of OTLP/JSON, gzip or not, into the all-in-one; - is standard input",
    settings: importSettings,
    operands: { usage: "FILE...", min: 1, max: Infinity },
    run: importCommand,
  },
};

function help(names: readonly string[]): string {
  const blocks = Object.entries(COMMANDS)
    .filter(([name]) => names.includes(name))
    .map(
      ([name, { summary, settings, operands }]) =>
        `callchain ${[name, operands?.usage ?? ""].join(" ").trim()}: ${summary}\n${describeSettings(settings)}\n`,
    );
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
  const { flags, operands } = splitOperands(command.settings, isNamed ? rest : process.argv.slice(2));
  const { usage, min, max } = command.operands ?? { usage: "", min: 0, max: 0 };
  if (operands.length < min || operands.length > max) {
    const given = operands.length === 0 ? "nothing" : operands.map((operand) => JSON.stringify(operand)).join(" ");
    const accepted = usage === "" ? "flags only" : usage;
    throw new Failure("invalid", `callchain ${name}: given ${given}, accepted is ${accepted}; --help says more`);
  }
  await command.run({ argv: flags, env: process.env }, operands);
}
