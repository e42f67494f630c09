/** `npm run check`: every static check, all of them even where one fails, with a line each at the end. */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const bin = (name: string): string => join(root, "node_modules/.bin", name);

const checks: readonly (readonly [title: string, command: string, ...args: string[]])[] = [
  ["format", bin("oxfmt"), "--check", "."],
  ["lint and imports", bin("oxlint")],
  ["types", bin("tsc"), "-p", "."],
  ["types of the page", bin("svelte-check"), "--tsconfig", "ui/tsconfig.json", "--fail-on-warnings"],
  ["dead code", bin("knip")],
  ["size of the page", process.execPath, join(root, "tests/support/page-size.ts")],
];

const failed = checks.filter(([title, command, ...args]) => {
  process.stdout.write(`check: ${title}\n`);
  return spawnSync(command, args, { cwd: root, stdio: "inherit" }).status !== 0;
});
process.stdout.write(`check: ${checks.length - failed.length} of ${checks.length} are clean`);
process.stdout.write(failed.length === 0 ? "\n" : `; failed: ${failed.map(([title]) => title).join(", ")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
