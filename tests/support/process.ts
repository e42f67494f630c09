/** The real all-in-one as a child process, on free ports and a directory of its own. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const CLI = join(ROOT, "deploy/cli/main.ts");
const START_LIMIT_MS = 60_000;

/** Flags that let several run side by side. */
export const FREE_PORTS = [
  "--query-address",
  "127.0.0.1:0",
  "--otlp-http-address",
  "127.0.0.1:0",
  "--otlp-grpc-address",
  "127.0.0.1:0",
];

export interface CallchainProcess {
  readonly child: ChildProcess;
  readonly queryUrl: string;
  readonly otlpHttpUrl: string;
  readonly otlpGrpcUrl: string;
  readonly engineUrl: string;
  /** Everything printed so far, both streams. */
  output(): string;
  /** Ctrl-C; resolves with the exit status. */
  stop(): Promise<number | null>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
}

export function makeTempDir(): string {
  return mkdtempSync(join(tmpdir(), "callchain-test-"));
}

export function removeDir(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Runs the command line, with more environment variables, and resolves when it has ended. */
export async function runCli(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (piece: Buffer) => (stdout += piece.toString()));
  child.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()));
  await once(child, "close");
  return { status: child.exitCode, stdout, stderr };
}

/** Starts the all-in-one and resolves when it says that it is ready. Rejects with its output where it ends before that. */
export async function startCallchain(
  dataDir: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Promise<CallchainProcess> {
  const command = [...nodeArgs, CLI, "--data-dir", dataDir, ...FREE_PORTS, ...args];
  return watchCallchain(spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] }));
}

/** Waits until a started all-in-one prints its addresses. */
export async function watchCallchain(child: ChildProcess, limitMs = START_LIMIT_MS): Promise<CallchainProcess> {
  let output = "";
  const exited = once(child, "exit");
  const ready = Promise.withResolvers<undefined>();
  const onData = (piece: Buffer): void => {
    output += piece.toString();
    if (/Data in .*\n/.test(output)) ready.resolve(undefined);
  };
  child.stdout?.on("data", onData);
  child.stderr?.on("data", onData);
  const limit = setTimeout(() => ready.reject(new Error(`not ready after ${limitMs} ms:\n${output}`)), limitMs);
  void exited.then(() =>
    ready.reject(new Error(`ended with ${child.exitCode ?? child.signalCode} before it was ready:\n${output}`)),
  );
  try {
    await ready.promise;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(limit);
  }
  const find = (pattern: RegExp): string => {
    const found = pattern.exec(output)?.[1];
    if (found === undefined) throw new Error(`no ${pattern} in:\n${output}`);
    return found;
  };
  return {
    child,
    queryUrl: find(/Open\s+(http\S+)/),
    otlpHttpUrl: find(/OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)\s+\(http/),
    otlpGrpcUrl: find(/OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)\s+\(grpc/),
    engineUrl: find(/SQL\s+(http\S+)/),
    output: () => output,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
      await exited;
      return child.exitCode;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Only a test that fails waits this long. */
export const PATIENCE_MS = 240_000;

/** Asks until the check passes; its last error when patience ends. */
export async function eventually<T>(check: () => Promise<T>): Promise<T> {
  const untilMs = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Waits for a condition; `what` names it where patience ends first. */
export function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  return eventually(async () => {
    if (!(await isSo())) throw new Error(`not yet: ${what}`);
  });
}

/** GET as JSON; any other status than 200 is an error with the body. */
export async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} from ${url}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}
