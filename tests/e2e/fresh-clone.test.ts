/** The two commands of the README on a machine with nothing but a stock Node: a clone of what is committed, `npm start`, a trace. */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { FREE_PORTS, ROOT, eventually, getJson, makeTempDir, removeDir, watchCallchain } from "../support/process.ts";

const NODE_MAJOR_MIN = 20;
/** Installing and building on a slow machine. */
const LIMIT_MS = 12 * 60_000;

/** The PATH without what an npm script put there. */
const STOCK_PATH = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter((dir) => dir !== "" && !dir.includes("node_modules") && !dir.includes("node-gyp-bin"))
  .join(delimiter);

/** Why this cannot be tested here, or null. */
function findObstacle(): string | null {
  const dirs = STOCK_PATH.split(delimiter);
  for (const name of ["node", "npm", "git"]) {
    if (!dirs.some((dir) => existsSync(join(dir, name)))) return `there is no ${name} on the PATH outside of node_modules`;
  }
  const version = execFileSync("node", ["--version"], { env: { ...process.env, PATH: STOCK_PATH }, encoding: "utf8" });
  const major = Number(/^v(\d+)/.exec(version)?.[1]);
  if (major < NODE_MAJOR_MIN) return `the stock Node is ${version.trim()}; ${NODE_MAJOR_MIN} or later is needed`;
  return null;
}

/** As a new terminal would have it: nothing of the npm script, the test runner or Callchain that run this. */
function buildEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(npm_(lifecycle|package|command|execpath|node_execpath|config_local_prefix)|NODE_|CALLCHAIN_|OTEL_|INIT_CWD)/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  // What the tests themselves were installed from serves again: no need of the network where npm's cache has it all.
  return { ...Object.fromEntries(kept), PATH: STOCK_PATH, npm_config_prefer_offline: "true" };
}

/** Ctrl-C in a terminal goes to every process in the foreground. Resolves with the exit status of `npm start`. */
async function interrupt(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const ended = once(child, "exit");
    process.kill(-child.pid, "SIGINT");
    await ended;
  }
  return child.exitCode;
}

/** An unpacked archive has nothing to clone; there `npm start` is what whoever unpacked it runs. */
const archive = existsSync(join(ROOT, ".git")) ? false : "this is no git repository, so a fresh clone was not tested";
const obstacle = findObstacle();
if (obstacle !== null && process.env["CI"] === "true") throw new Error(`with CI=true a fresh clone must be tested: ${obstacle}`);

test(
  "git clone and npm start: an SDK's trace is found, the page is there, and Ctrl-C ends with 0",
  { skip: archive || (obstacle ?? false), timeout: LIMIT_MS + 120_000 },
  async (t) => {
    const dir = makeTempDir();
    const clone = join(dir, "callchain");
    try {
      execFileSync("git", ["-c", "safe.directory=*", "clone", "--quiet", ROOT, clone], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const args = ["start", "--", "--data-dir", join(dir, "data"), ...FREE_PORTS];
      // A process group of its own, as a shell gives it.
      const child = spawn("npm", args, {
        cwd: clone,
        env: buildEnvironment(),
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      try {
        const callchain = await watchCallchain(child, LIMIT_MS);
        const app = [join(ROOT, "tests/support/sdk-app.ts"), "http/protobuf"];
        const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: callchain.otlpHttpUrl };
        const { stdout: traceId } = await promisify(execFile)(process.execPath, app, { env });
        const url = `${callchain.queryUrl}/api/v1/traces/${traceId}?view=tree`;
        const tree = await eventually(async () => TraceTreeAnswer.parse(await getJson(url)));
        assert.deepEqual(
          tree.spans.map(({ name }) => name),
          ["GET /orders", "SELECT orders"],
        );
        const page = await (await fetch(callchain.queryUrl)).text();
        const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1];
        assert.ok(script !== undefined, page);
        assert.equal((await fetch(callchain.queryUrl + script)).status, 200);
        assert.equal(await interrupt(child), 0, callchain.output());
        assert.equal(
          execFileSync("git", ["status", "--porcelain"], { cwd: clone, encoding: "utf8" }),
          "",
          "the clone stays clean",
        );
      } catch (error) {
        // Without a network and without npm's cache there is nothing to install from; CI is expected to have one of them.
        if (!(error instanceof Error) || !/npm install failed/.test(error.message) || process.env["CI"] === "true") throw error;
        t.skip(`no registry is reachable and npm's cache lacks packages, so a fresh clone was not tested: ${error.message}`);
      } finally {
        await interrupt(child);
      }
    } finally {
      removeDir(dir);
    }
  },
);
