import assert from "node:assert/strict";
import { test } from "node:test";
import { blockRowsFor, slowMatchSql } from "./slow-patterns.ts";

test("a statement reads the smaller blocks the more slow expressions it has", () => {
  const slow = slowMatchSql("name", "{p:String}");
  assert.equal(blockRowsFor("SELECT 1 FROM spans WHERE match(name, {p:String})"), null);
  assert.equal(blockRowsFor(`SELECT 1 FROM spans WHERE ${slow}`), 32);
  assert.equal(blockRowsFor(`SELECT 1 FROM spans WHERE ${slow} AND NOT ${slow}`), 16);
  assert.equal(blockRowsFor(Array.from({ length: 60 }, () => slow).join(" OR ")), 4);
});
