#!/usr/bin/env node
/** The command line. Subcommands stand in a table; without one, or with flags first, it is `serve`. */
import "./v8-flags.ts";
import { describeSettings } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources, Settings } from "@callchain/schemas/runtime/config.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { allInOneSettings } from "../all-in-one/settings.ts";
import { demoCommand, demoSettings } from "./demo.ts";
import { reportFailure } from "./run.ts";
import { serveCommand } from "./serve.ts";

interface Command {
  readonly summary: string;
  readonly settings: Settings;
  readonly run: (sources: ConfigSources) => Promise<void>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: {
    summary: "receivers, writer, query API and page on the embedded engine",
    settings: allInOneSettings,
    run: serveCommand,
  },
  demo: { summary: "a shop of 13 services with faults in it, sent as OTLP", settings: demoSettings, run: demoCommand },
};

function help(): string {
  const blocks = Object.entries(COMMANDS).map(
    ([name, { summary, settings }]) => `callchain ${name}: ${summary}\n${describeSettings(settings)}\n`,
  );
  const order = "Flags win over environment variables, which win over the YAML file named by --config or CALLCHAIN_CONFIG.";
  return ["Usage: callchain [command] [flags]\n", ...blocks, order, ""].join("\n");
}

async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (process.argv.includes("--help") || process.argv.includes("-h") || first === "help") {
    process.stdout.write(help());
    return;
  }
  const isNamed = first !== undefined && !first.startsWith("-");
  const name = isNamed ? first : "serve";
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    throw new Failure("invalid", `unknown command ${JSON.stringify(name)}; accepted: ${Object.keys(COMMANDS).join(", ")}, help`);
  }
  await command.run({ argv: isNamed ? rest : process.argv.slice(2), env: process.env });
}

try {
  await main();
} catch (error) {
  reportFailure(error);
}
