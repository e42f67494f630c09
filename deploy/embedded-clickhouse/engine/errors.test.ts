import assert from "node:assert/strict";
import { test } from "node:test";
import { engineErrorOf, EngineError, ERROR, statusOf } from "./errors.ts";

test("an engine's message becomes code, message and ClickHouse's own text", () => {
  const error = engineErrorOf(new Error("Code: 60. DB::Exception: Unknown table (x) here. (UNKNOWN_TABLE)"));
  assert.deepEqual([error.code, error.message], [60, "Unknown table (x) here."]);
  assert.equal(error.text, "Code: 60. DB::Exception: Unknown table (x) here. (UNKNOWN_TABLE)");
});

test("an exception wrapped in itself is shown once", () => {
  const inner = "Code: 27. DB::Exception: Cannot parse\ninput. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)";
  const error = engineErrorOf(
    new Error(`Code: 27. DB::Exception: ${inner} (version 26.7.2.1). (CANNOT_PARSE_INPUT_ASSERTION_FAILED)`),
  );
  assert.equal(error.text, inner);
  assert.equal(error.code, 27);
});

test("what is no exception of ClickHouse's is an unknown one", () => {
  assert.equal(engineErrorOf("boom").code, ERROR.UNKNOWN_EXCEPTION);
});

test("statuses are those of ClickHouse", () => {
  assert.deepEqual([62, 60, 159, 202, 497, 48].map(statusOf), [400, 404, 408, 500, 403, 501]);
  assert.match(new EngineError(ERROR.NOT_ENOUGH_SPACE, "x").text, /^Code: 243\. DB::Exception: x \(NOT_ENOUGH_SPACE\)$/);
});
