/**
 * ClickHouse for the suites: the embedded engine's process, or with CALLCHAIN_TEST_CLICKHOUSE=server a ClickHouse server. That is the one
 * at CLICKHOUSE_URL (`http://user:password@host:8123`), where every suite has databases of its own and ends none of the server's processes;
 * without a URL it is a server that is started for the suite from the binary on PATH, and can be killed.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { startEmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { openDatabase, type DatabaseOptions, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { Lifecycle, type Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { freePort } from "./free-port.ts";

const READY_MS = 60_000;
const RESTART_MS = 200;
const BINARIES = [
  ["clickhouse", ["server"]],
  ["clickhouse-server", []],
] as const;
const log = openLog("test", "silent");

type OpenOptions = Pick<DatabaseOptions, "database" | "connectionsMax" | "isIngestCalm">;

export interface TestClickHouse extends Running {
  /** With user and password where the server wants them, and the suite's own database as its path. */
  readonly url: string;
  /** The suite's own. */
  readonly database: string;
  /** What a role is told of the server, by the names of its settings. */
  readonly settings: Readonly<Record<string, string>>;
  /** Of the process, to be killed, after which it comes back; null while it is away, and for a server that is not ours. */
  readonly pid: number | null;
  /** Names a database beside the suite's own, which goes with it. */
  nameOf(database: string): string;
  /** The same as `url`, of a database beside the suite's own. */
  urlOf(database: string): string;
  /** The suite's own database, where no other is named. */
  open(role: "reader" | "writer", options?: OpenOptions): SpanDatabase;
}

interface Server extends Running {
  /** Without a path. */
  readonly url: string;
  readonly pid: number | null;
}

type FoundServer = { readonly url: string } | { readonly command: string; readonly args: readonly string[] };

/** What a second run of the suites would take; null: nothing beside the embedded engine. */
export function findClickHouseServer(): FoundServer | null {
  const url = process.env["CLICKHOUSE_URL"];
  if (url !== undefined && url !== "") return { url };
  for (const [command, args] of BINARIES) {
    if (spawnSync(command, [...args, "--version"], { stdio: "ignore" }).status === 0) return { command, args };
  }
  return null;
}

function isOnServer(): boolean {
  return process.env["CALLCHAIN_TEST_CLICKHOUSE"] === "server";
}

/** Why this process of ClickHouse must not be killed or stopped, or false: `test(..., { skip: clickHouseIsForeign() })`. */
export function clickHouseIsForeign(): string | false {
  return isOnServer() && process.env["CLICKHOUSE_URL"] !== undefined
    ? "the ClickHouse server at CLICKHOUSE_URL is not ours to end"
    : false;
}

/** Over a fresh directory, or fresh databases of a server that is there already; `stop` removes them. A directory that is given stays. */
export async function startClickHouse(givenDir?: string): Promise<TestClickHouse> {
  const parts = new Lifecycle(log);
  const found = isOnServer() ? findClickHouseServer() : "embedded";
  if (found === null) throw new Error("no ClickHouse server: neither CLICKHOUSE_URL nor a clickhouse binary on PATH");
  const isForeign = found !== "embedded" && "url" in found;
  const dir = givenDir ?? (await mkdtemp(join(tmpdir(), "callchain-clickhouse-")));
  if (givenDir === undefined) parts.add("directory", { stop: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }) });
  const server = parts.add("server", await startServer(found, dir));
  const own = isForeign ? `callchain_test_${randomBytes(4).toString("hex")}` : "default";
  if (isForeign) parts.add("databases", await createDatabase(server.url, own));
  const nameOf = (database: string): string => (isForeign ? `${own}_${database}` : database);
  const urlOf = (database: string): string => `${server.url.replace(/\/$/, "")}/${database}`;
  const { origin, username, password } = new URL(server.url);
  return {
    url: urlOf(own),
    database: own,
    settings: {
      clickhouseUrl: origin,
      clickhouseDatabase: own,
      ...(username === "" ? {} : { clickhouseUser: decodeURIComponent(username) }),
      ...(password === "" ? {} : { clickhousePassword: decodeURIComponent(password) }),
    },
    get pid() {
      return server.pid;
    },
    nameOf,
    urlOf: (database) => urlOf(nameOf(database)),
    open: (role, options = {}) => openDatabase({ url: server.url, role, database: own, ...options }),
    stop: () => parts.stop(),
  };
}

async function startServer(found: FoundServer | "embedded", dir: string): Promise<Server> {
  if (found === "embedded") return startEmbeddedClickHouse({ dataDir: dir, address: { host: "127.0.0.1", port: 0 }, log });
  if ("url" in found) return { url: found.url, pid: null, stop: () => Promise.resolve() };
  const server = new OwnServer(found.command, found.args, dir, await freePort());
  await server.start();
  return server;
}

/** `stop` drops it, with those whose names begin like it. */
async function createDatabase(url: string, own: string): Promise<Running> {
  const server = openDatabase({ url, role: "writer" });
  await server.command(`CREATE DATABASE ${own}`);
  const stop = async (): Promise<void> => {
    const sql = "SELECT name FROM system.databases WHERE name = {own:String} OR startsWith(name, {prefix:String})";
    const { rows } = await server.query<{ name: string }>(sql, { params: { own, prefix: `${own}_` } });
    for (const { name } of rows) await server.command(`DROP DATABASE IF EXISTS ${name} SYNC`);
    await server.close();
  };
  return { stop };
}

/** The server's own process: started over a directory, started again when it ends, until stopped. */
class OwnServer implements Server {
  readonly url: string;
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #dir: string;
  readonly #port: number;
  #child: ChildProcess | null = null;
  #isStopping = false;

  constructor(command: string, args: readonly string[], dir: string, port: number) {
    this.#command = command;
    this.#args = args;
    this.#dir = dir;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    await writeFile(join(this.#dir, "config.xml"), serverConfig(this.#dir, this.#port));
    const ended = this.#spawn();
    const untilMs = performance.now() + READY_MS;
    const database = openDatabase({ url: this.url, role: "writer" });
    try {
      while (!(await isThere(database))) {
        if (this.#child === null) throw new Error(`${this.#command} ended while it started: ${await ended}`);
        if (performance.now() > untilMs) throw new Error(`${this.#command} does not answer at ${this.url} after a minute`);
        await sleep(100);
      }
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      await database.close();
    }
    void this.#keep(ended);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === null) return;
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    const killer = setTimeout(() => child.kill("SIGKILL"), READY_MS / 4);
    await gone;
    clearTimeout(killer);
  }

  /** Resolves with the last words of the process. */
  async #spawn(): Promise<string> {
    const child = spawn(this.#command, [...this.#args, `--config-file=${join(this.#dir, "config.xml")}`], {
      cwd: this.#dir,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    const onExit = (): void => void child.kill("SIGKILL");
    process.once("exit", onExit);
    let said = "";
    child.stderr.on("data", (piece: Buffer) => (said = (said + piece.toString()).slice(-2000)));
    await once(child, "close");
    process.off("exit", onExit);
    this.#child = null;
    return said;
  }

  async #keep(ended: Promise<string>): Promise<void> {
    for (let end = ended; ; end = this.#spawn()) {
      await end;
      if (!this.#isStopping) await sleep(RESTART_MS);
      if (this.#isStopping) return;
    }
  }
}

async function isThere(database: SpanDatabase): Promise<boolean> {
  return database.ping().then(
    () => true,
    () => false,
  );
}

/** Only HTTP, only on loopback, with a user that may do all; documented under "Server settings" in ClickHouse's manual. */
function serverConfig(dir: string, port: number): string {
  return `<clickhouse>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${port}</http_port>
  <path>${dir}/data/</path>
  <tmp_path>${dir}/tmp/</tmp_path>
  <user_files_path>${dir}/user_files/</user_files_path>
  <user_directories><users_xml><path>config.xml</path></users_xml></user_directories>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </default>
  </users>
</clickhouse>
`;
}
