/** `callchain receive`, `write` and `query`: the roles of the distributed mode, each a process. */
import { readConfig } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startQuery } from "../roles/query.ts";
import { startReceive } from "../roles/receive.ts";
import type { Role } from "../roles/role.ts";
import { querySettings, receiveSettings, writeSettings } from "../roles/settings.ts";
import { startWrite } from "../roles/write.ts";
import { runUntilSignal } from "./run.ts";

export async function receiveCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(receiveSettings, sources);
  const role = await startReceive(config, openLog("receive", config.logLevel));
  await runRole("receive", role, () => {
    const { otlpHttpUrl, otlpGrpcUrl } = role.urls();
    return [
      `  Send to   OTEL_EXPORTER_OTLP_ENDPOINT=${otlpHttpUrl}   (http/protobuf, http/json)`,
      `            OTEL_EXPORTER_OTLP_ENDPOINT=${otlpGrpcUrl}   (grpc)`,
      `  Topic     ${config.kafkaTopic} at ${config.kafkaBrokers.join(",")}`,
    ];
  });
}

export async function writeCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(writeSettings, sources);
  const role = await startWrite(config, openLog("write", config.logLevel));
  await runRole("write", role, () => [
    `  From      ${config.kafkaTopic} at ${config.kafkaBrokers.join(",")}, group ${config.kafkaGroup}`,
    `  Into      ${config.clickhouseDatabase} at ${config.clickhouseUrl.join(", ")}`,
  ]);
}

export async function queryCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(querySettings, sources);
  const query = await startQuery(config, openLog("query", config.logLevel));
  const ended = runUntilSignal(query);
  say([
    "Callchain query is ready.",
    `  Open      ${query.queryUrl}`,
    `  Status    ${query.queryUrl}/ready`,
    `  From      ${config.clickhouseDatabase} at ${config.clickhouseUrl}`,
  ]);
  await ended;
}

/** Prints where the status is at once, and the rest when the role is open. */
async function runRole(name: string, role: Role & { readonly statusUrl: string }, describe: () => string[]): Promise<void> {
  const ended = runUntilSignal(role, role.failed);
  say([`Callchain ${name} is starting.`, `  Status    ${role.statusUrl}/ready`]);
  void role.opened.then(() => say([`Callchain ${name} is ready.`, ...describe()]));
  await ended;
}

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
