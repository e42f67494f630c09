/** The roles of the distributed mode as processes, on free ports: told by environment variables, as a container or a unit would. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { variableOf } from "@callchain/schemas/runtime/config.ts";
import { CLI, PATIENCE_MS } from "./process.ts";

export type RoleEnvironment = Readonly<Record<string, string>>;

const LOOPBACK = "127.0.0.1:0";
const FREE_ADDRESSES: Readonly<Record<string, RoleEnvironment>> = {
  receive: {
    CALLCHAIN_OTLP_HTTP_ADDRESS: LOOPBACK,
    CALLCHAIN_OTLP_GRPC_ADDRESS: LOOPBACK,
    CALLCHAIN_STATUS_ADDRESS: LOOPBACK,
  },
  write: { CALLCHAIN_STATUS_ADDRESS: LOOPBACK },
  query: { CALLCHAIN_QUERY_ADDRESS: LOOPBACK },
};

export interface RoleProcess {
  readonly child: ChildProcess;
  /** Everything printed so far, both streams. */
  output(): string;
  /** Resolves with the first group of the pattern once it was printed. Rejects with the output where the process ends before that. */
  find(pattern: RegExp, limitMs?: number): Promise<string>;
  /** The status of a path of the role's status address: 200 or 503. */
  status(path: "/health" | "/ready" | "/metrics"): Promise<number>;
  /** The sum over the labels of a metric, and how many there are. */
  metric(name: string): Promise<{ sum: number; count: number }>;
  /** Ctrl-C; resolves with the exit status. */
  stop(): Promise<number | null>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Settings by their names in the code, as the environment has them. */
export function environmentOf(settings: Readonly<Record<string, string | number>>): RoleEnvironment {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [variableOf(key), String(value)]));
}

/** `nodeArgs`: flags of Node itself. */
export function startRoleProcess(
  role: "receive" | "write" | "query",
  environment: RoleEnvironment,
  nodeArgs: readonly string[] = [],
): RoleProcess {
  const env = { ...process.env, ...FREE_ADDRESSES[role], ...environment };
  const child = spawn(process.execPath, [...nodeArgs, CLI, role], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let wake = Promise.withResolvers<undefined>();
  const onChange = (piece?: Buffer): void => {
    output += piece?.toString() ?? "";
    wake.resolve(undefined);
    wake = Promise.withResolvers<undefined>();
  };
  child.stdout.on("data", onChange);
  child.stderr.on("data", onChange);
  // Nothing of a test that is ended from outside stays behind.
  const onExit = (): void => void child.kill("SIGKILL");
  process.once("exit", onExit);
  child.once("close", () => process.off("exit", onExit));
  const closed = once(child, "close").then(() => onChange());
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const find = async (pattern: RegExp, limitMs = PATIENCE_MS): Promise<string> => {
    const untilMs = Date.now() + limitMs;
    for (;;) {
      const found = pattern.exec(output);
      if (found !== null) return found[1] ?? found[0];
      if (isGone()) throw new Error(`${role} ended with ${child.exitCode ?? child.signalCode}; no ${pattern} in:\n${output}`);
      if (Date.now() > untilMs) throw new Error(`no ${pattern} after ${limitMs} ms in:\n${output}`);
      await Promise.race([wake.promise, new Promise((resolve) => setTimeout(resolve, 500).unref())]);
    }
  };
  const end = async (signal: "SIGINT" | "SIGKILL"): Promise<void> => {
    if (!isGone()) child.kill(signal);
    await closed;
  };
  const ask = async (path: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(new URL(await find(/Status\s+(http\S+)/)).origin + path);
    return { status: response.status, text: await response.text() };
  };
  return {
    child,
    output: () => output,
    find,
    status: async (path) => (await ask(path)).status,
    metric: async (name) => {
      const lines = (await ask("/metrics")).text.split("\n");
      const values = lines
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .map((line) => Number(line.split(" ").at(-1)));
      return { sum: values.reduce((sum, value) => sum + value, 0), count: values.length };
    },
    stop: async () => {
      await end("SIGINT");
      return child.exitCode;
    },
    kill: () => end("SIGKILL"),
  };
}
