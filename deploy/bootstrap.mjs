// @ts-check
/**
 * The one entry of the npm scripts. It runs on a stock Node (20 or later) before anything is installed, so it is plain JavaScript
 * without dependencies: it installs what package-lock.json says, builds the page, and hands over to the Node 24 that the lockfile pins.
 *
 *   node deploy/bootstrap.mjs start|demo|test|check|bench|fault [arguments]
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_MAJOR = 24;
const PAGE_SOURCES = [
  "ui/src",
  "ui/index.html",
  "ui/vite.config.ts",
  "ui/package.json",
  "schemas/span",
  "schemas/api",
  "package-lock.json",
];

/** @type {Record<string, { page: boolean, commands: (args: string[]) => string[][] }>} */
const scripts = {
  start: { page: true, commands: (args) => [["deploy/cli/main.ts", ...args]] },
  test: { page: true, commands: (args) => [["tests/support/run-tests.ts", ...args]] },
  check: { page: true, commands: () => [["tests/support/run-checks.ts"]] },
  bench: { page: true, commands: (args) => [["tests/bench/main.ts", ...args]] },
  fault: { page: false, commands: (args) => [["tests/support/run-tests.ts", "--only", "fault", "--full", ...args]] },
};

/** @param {string} text */
function say(text) {
  process.stderr.write(`callchain: ${text}\n`);
}

/** @returns {never} @param {string} text */
function fail(text) {
  say(text);
  process.exit(1);
}

/** @param {string} path @returns {unknown} */
function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), "utf8"));
}

/** Whether node_modules holds every package of the lockfile in its version; packages for other platforms may be absent. */
function isInstalled() {
  if (!existsSync(join(root, "node_modules/.package-lock.json"))) return false;
  /** @typedef {{ packages: Record<string, { version?: string, link?: boolean, optional?: boolean }> }} Lock */
  const wanted = /** @type {Lock} */ (readJson("package-lock.json")).packages;
  const present = /** @type {Lock} */ (readJson("node_modules/.package-lock.json")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith("node_modules/") || entry.link === true) return true;
    const found = present[path];
    return found === undefined ? entry.optional === true : found.version === entry.version;
  });
}

function install() {
  if (isInstalled()) return;
  say("installing what package-lock.json lists (about 1.2 GB on disk, most of it the embedded engine)");
  const npm = process.env["npm_execpath"];
  const [command, ...args] = npm === undefined ? ["npm"] : [process.execPath, npm];
  // Not `npm ci`: it refuses a lockfile without the optional builds for other platforms, which not every registry has. The versions
  // and checksums of the lockfile hold here too, and --no-save leaves it as it is.
  const { status, error } = spawnSync(command ?? "npm", [...args, "install", "--no-save", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) fail(`npm install failed (${error?.message ?? `status ${status}`}); its output is above`);
}

/** The pinned Node 24, or the running one where no build is published for this platform and it is new enough. */
function findNode() {
  const pinned = join(root, "node_modules/.bin/node");
  if (existsSync(pinned)) return pinned;
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) return process.execPath;
  return fail(
    `no Node ${NODE_MAJOR} for ${process.platform}-${process.arch} among the dependencies and this is Node ${process.versions.node}; install Node ${NODE_MAJOR} or later`,
  );
}

/** @param {string} path @returns {string[]} */
function filesUnder(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [full];
  return readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** @param {string} node */
function buildPage(node) {
  const hash = createHash("sha256");
  for (const file of PAGE_SOURCES.flatMap(filesUnder)) hash.update(relative(root, file)).update(readFileSync(file));
  const digest = hash.digest("hex");
  const stamp = join(root, "ui/dist/.sources");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  say("building the page");
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const { status } = spawnSync(node, [vite, "build", "--logLevel", "warn"], { cwd: join(root, "ui"), stdio: ["ignore", 2, 2] });
  if (status !== 0) fail("the page could not be built; vite's output is above");
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

const [name = "start", ...args] = process.argv.slice(2);
const script = scripts[name];
if (script === undefined) fail(`unknown script ${JSON.stringify(name)}; accepted: ${Object.keys(scripts).join(", ")}`);
install();
const node = findNode();
if (script.page) buildPage(node);
// The child decides how a Ctrl-C ends; both are in the terminal's foreground group and get the signal.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
const env = { ...process.env, PATH: `${dirname(node)}:${process.env["PATH"] ?? ""}` };
for (const command of script.commands(args)) {
  const { status, signal, error } = spawnSync(node, command, {
    cwd: process.cwd() === root ? root : process.cwd(),
    env,
    stdio: "inherit",
  });
  if (error !== undefined) fail(error.message);
  if (signal !== null) process.exit(1);
  if (status !== 0) process.exit(status ?? 1);
}
