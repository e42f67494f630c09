import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { readConfig, setting } from "./config.ts";
import { Secret } from "./secret.ts";

test("a secret prints as three stars wherever it ends up, and reveals itself only when asked", () => {
  const secret = new Secret("tulip");
  const printed = [String(secret), JSON.stringify({ secret }), inspect({ deep: { secret } })];
  for (const text of printed) {
    assert.match(text, /\*\*\*/);
    assert.doesNotMatch(text, /tulip/);
  }
  assert.equal(secret.reveal(), "tulip");
});

test("a secret setting that is not given is empty", () => {
  const settings = { password: setting.secret("a password") };
  assert.equal(readConfig(settings, { argv: [], env: {} }).password.isEmpty, true);
  assert.equal(readConfig(settings, { argv: [], env: { CALLCHAIN_PASSWORD: "tulip" } }).password.reveal(), "tulip");
});
