/** A peer's server as a child process on the system's core. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { familyOf } from "../proc.ts";
import { SYSTEM_CORE } from "./system.ts";

const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 30_000;
const OUTPUT_CHARS_MAX = 20_000;

export interface PeerProcess {
  pids(): number[];
  /** SIGTERM, and SIGKILL where that does not end it in time. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** Resolves once this URL answers with 200. `command` sees one processor from its start: runtimes size themselves by that. */
export async function startPeer(options: {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly readyUrl: string;
}): Promise<PeerProcess> {
  const { command, args, environment = {}, cwd, readyUrl } = options;
  const child = spawn("taskset", ["-c", String(SYSTEM_CORE), command, ...args], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const keep = (piece: Buffer): void => {
    output = (output + piece.toString()).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const onExit = (): void => void child.kill("SIGKILL");
  process.once("exit", onExit);
  const exited = once(child, "exit").then(() => process.off("exit", onExit));
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const kill = async (): Promise<void> => {
    if (!isGone()) child.kill("SIGKILL");
    await exited;
  };
  const untilMs = performance.now() + START_LIMIT_MS;
  while (!(await answers(readyUrl))) {
    if (isGone()) throw new Error(`${command} ended at its start:\n${output}`);
    if (performance.now() > untilMs) {
      await kill();
      throw new Error(`${command} did not answer at ${readyUrl} in ${START_LIMIT_MS} ms:\n${output}`);
    }
    await sleep(100);
  }
  return {
    pids: () => familyOf(child.pid ?? 0),
    kill,
    stop: async () => {
      if (!isGone()) child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      await exited;
      clearTimeout(killer);
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    await response.bytes();
    return response.status === 200;
  } catch {
    // Not listening yet.
    return false;
  }
}
