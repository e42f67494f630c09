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

test("an exception without its name gets one, since clients look for it", () => {
  const error = engineErrorOf(new Error("Code: 241. DB::Exception: Memory limit (total) exceeded: would use 1 GiB"));
  assert.equal(error.code, 241);
  assert.match(
    error.text,
    /^Code: 241\. DB::Exception: Memory limit \(total\) exceeded: would use 1 GiB \(MEMORY_LIMIT_EXCEEDED\)$/,
  );
});

test("a full disk has one code, whichever call ran into it", () => {
  const text =
    "Code: 75. DB::Exception: Cannot write to file x, errno: 28, strerror: No space left on device. (CANNOT_WRITE_TO_FILE_DESCRIPTOR)";
  assert.equal(engineErrorOf(new Error(text)).code, ERROR.NOT_ENOUGH_SPACE);
});
