import assert from "node:assert/strict";
import { it } from "node:test";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { parseTraceQuery } from "../../search/parse.ts";
import { planQuery } from "../../search/plan.ts";
import { buildStatement } from "./spans.ts";

it("the statement that reads spans has the same text whatever the names and values of the query are", () => {
  const range = { from: unixNano(1n), to: unixNano(2n) };
  const sqlOf = (key: string, value: string): string => {
    const name = JSON.stringify(key);
    const literal = JSON.stringify(value);
    const text = `{ span.${name} = ${literal} } >> { .${name} =~ ${literal} } | by(span.${name}, .${name}) | sum(.${name}) > 1 | { event.${name} != ${literal} }`;
    const plan = planQuery(parseTraceQuery(text));
    return buildStatement({
      plan,
      traceIds: ["0".repeat(31) + "1"],
      range,
      scope: range,
      resources: null,
      timeoutMs: 1_000,
    }).sql;
  };
  const shape = sqlOf("some.key", "some value");
  const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(word, word, (key, value) => {
      // An equality with the empty text asks whether the key is there too.
      assert.equal(sqlOf(`k${key}`, `(?:v)${value.replaceAll(/[^\p{L}]/gu, "")}`), shape);
    }),
  );
});
