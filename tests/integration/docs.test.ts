/** docs/distributed.md lists the settings that the roles have: all of them, and in their words. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { migrateSettings, querySettings, receiveSettings, writeSettings } from "@callchain/deploy/roles/settings.ts";
import { flagOf, type Settings } from "@callchain/schemas/runtime/config.ts";
import { ROOT } from "../support/process.ts";

const ROLES: Readonly<Record<string, Settings>> = {
  receive: receiveSettings,
  write: writeSettings,
  query: querySettings,
  migrate: migrateSettings,
};

/** A row per flag: which roles have it, and what the first of them says of it. */
function expectedRows(): string[] {
  const keys = new Set(Object.values(ROLES).flatMap((settings) => Object.keys(settings)));
  return [...keys].map((key) => {
    const marks = Object.values(ROLES).map((settings) => (key in settings ? "x" : ""));
    const help = Object.values(ROLES).find((settings) => key in settings)?.[key]?.help ?? "";
    return [`\`${flagOf(key)}\``, ...marks, help].join("|");
  });
}

test("the table of settings in docs/distributed.md is the one that the roles have", () => {
  const rows = readFileSync(join(ROOT, "docs/distributed.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `--"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim())
        .join("|"),
    );
  assert.deepEqual(rows.toSorted(), expectedRows().toSorted());
});
