import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { stringLiteral } from "./literal.ts";

test("a literal holds exactly its bytes and nothing in it can end it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      const literal = stringLiteral(value);
      assert.match(literal, /^'(?:[^'\\]|\\x[0-7][0-9a-f])*'$/);
      assert.equal(
        literal.slice(1, -1).replace(/\\x(..)/g, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        value,
      );
    }),
  );
});
