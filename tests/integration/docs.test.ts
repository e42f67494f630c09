/** docs/distributed.md lists the settings that the roles have, docs/traceql.md what the query language has: all of it, and as it is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseSeriesQuery, parseTraceQuery } from "@callchain/query-api/search/parse.ts";
import { INTRINSICS } from "@callchain/query-api/search/query.ts";
import { SERIES_FUNCTIONS } from "@callchain/query-api/search/series-query.ts";
import { AGGREGATES, RELATIONS, formatTraceQuery } from "@callchain/query-api/search/trace-query.ts";
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

const TRACEQL = readFileSync(join(ROOT, "docs/traceql.md"), "utf8");
/** What stands in backquotes, as it is meant. */
const QUOTED = [...TRACEQL.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code.replaceAll("\\|", "|"));

test("docs/traceql.md names every field, relation and aggregate of the language", () => {
  for (const field of Object.keys(INTRINSICS)) assert.ok(QUOTED.includes(field), field);
  for (const sign of Object.keys(RELATIONS)) {
    for (const form of ["", "!", "&"]) assert.ok(QUOTED.includes(form + sign), form + sign);
  }
  for (const name of [...AGGREGATES, ...Object.keys(SERIES_FUNCTIONS)]) {
    assert.ok(
      QUOTED.some((code) => code.startsWith(`${name}(`)),
      name,
    );
  }
});

test("the queries of docs/traceql.md can be read, and are rewritten as it says", () => {
  const queries = QUOTED.filter((code) => /^\(*\{.*\}/.test(code) && !code.includes("..."));
  assert.ok(queries.length >= 7);
  for (const query of queries) {
    const parse = /rate\(\)|compare\(/.test(query) ? parseSeriesQuery : parseTraceQuery;
    parse(query.replaceAll(/\{ ([ab]) \}/g, "{ .$1 }"));
  }
  const section = TRACEQL.slice(TRACEQL.indexOf("| typed"), TRACEQL.indexOf("## Conditions"));
  const rows = [...section.matchAll(/^\| `([^`]+)` +\| `([^`]+)` +\|$/gm)];
  assert.equal(rows.length, 3);
  for (const [, typed = "", understood = ""] of rows)
    assert.equal(formatTraceQuery(parseTraceQuery(typed)), understood.replaceAll("\\|", "|"));
});
