/** The roles of the distributed mode as processes, on free ports: told by environment variables, as a container or a unit would. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { variableOf } from "@callchain/schemas/runtime/config.ts";
import { CLI } from "./process.ts";

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
  /** Ctrl-C; resolves with the exit status. */
  stop(): Promise<number | null>;
}

/** Settings by their names in the code, as the environment has them. */
export function environmentOf(settings: Readonly<Record<string, string | number>>): RoleEnvironment {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [variableOf(key), String(value)]));
}

export function startRoleProcess(role: "receive" | "write" | "query", environment: RoleEnvironment): RoleProcess {
  const env = { ...process.env, ...FREE_ADDRESSES[role], ...environment };
  const child = spawn(process.execPath, [CLI, role], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let wake = Promise.withResolvers<undefined>();
  const onChange = (piece?: Buffer): void => {
    output += piece?.toString() ?? "";
    wake.resolve(undefined);
    wake = Promise.withResolvers<undefined>();
  };
  child.stdout.on("data", onChange);
  child.stderr.on("data", onChange);
  const closed = once(child, "close").then(() => onChange());
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const find = async (pattern: RegExp, limitMs = 60_000): Promise<string> => {
    const untilMs = Date.now() + limitMs;
    for (;;) {
      const found = pattern.exec(output);
      if (found !== null) return found[1] ?? found[0];
      if (isGone()) throw new Error(`${role} ended with ${child.exitCode ?? child.signalCode}; no ${pattern} in:\n${output}`);
      if (Date.now() > untilMs) throw new Error(`no ${pattern} after ${limitMs} ms in:\n${output}`);
      await Promise.race([wake.promise, new Promise((resolve) => setTimeout(resolve, 500).unref())]);
    }
  };
  return {
    child,
    output: () => output,
    find,
    status: async (path) => {
      const origin = new URL(await find(/Status\s+(http\S+)/)).origin;
      const response = await fetch(origin + path);
      await response.arrayBuffer();
      return response.status;
    },
    stop: async () => {
      if (!isGone()) child.kill("SIGINT");
      await closed;
      return child.exitCode;
    },
  };
}
