import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { filterAttributes, formatValue, queryFor, quoteText, typeName } from "./attributes.ts";
import { splitStackTrace } from "./stack-trace.ts";

describe("attributes", () => {
  it("read as text, with their type where the text does not tell", () => {
    assert.equal(formatValue({ stringValue: "a b" }), "a b");
    assert.equal(formatValue({ intValue: "9007199254740993" }), "9007199254740993");
    assert.equal(formatValue({ arrayValue: { values: [{ stringValue: "a" }, { intValue: "1" }] } }), '["a", 1]');
    assert.equal(formatValue({ kvlistValue: { values: [{ key: "k", value: { boolValue: true } }] } }), '{"k": true}');
    assert.equal(formatValue({}), "");
    assert.equal(typeName({ stringValue: "1" }), null);
    assert.equal(typeName({ intValue: "1" }), "int");
    assert.equal(typeName({}), "empty");
  });

  it("become a clause of a query with what would end the text escaped", () => {
    assert.equal(queryFor("span", "http.route", { stringValue: "/cart" }), '{ span.http.route = "/cart" }');
    assert.equal(queryFor("resource", "odd key", { intValue: "5" }), '{ resource."odd key" = 5 }');
    assert.equal(queryFor("span", "a", { stringValue: 'x"\\\n' }), '{ span.a = "x\\"\\\\\\n" }');
    assert.equal(queryFor("span", "a", { doubleValue: "NaN" }), null);
    assert.equal(queryFor("span", "a", { arrayValue: { values: [] } }), null);
  });

  it("never leave their quotes", () => {
    fc.assert(fc.property(fc.string(), (text) => /^"(?:[^"\\\n]|\\.)*"$/s.test(quoteText(text))));
  });

  it("are filtered by key or value", () => {
    const attributes = [
      { key: "http.method", value: { stringValue: "GET" } },
      { key: "db.name", value: { stringValue: "shop" } },
    ];
    assert.equal(filterAttributes(attributes, "SHOP").length, 1);
    assert.equal(filterAttributes(attributes, " http").length, 1);
    assert.equal(filterAttributes(attributes, "").length, 2);
  });
});

describe("stack traces", () => {
  it("fold the frames of libraries", () => {
    const text = [
      "TypeError: no price",
      "    at total (/srv/cart/total.ts:12:3)",
      "    at Layer.handle (/srv/node_modules/express/lib/router.js:3:1)",
      "    at next (/srv/node_modules/express/lib/router.js:9:1)",
      "    at node:internal/process/task_queues:95:5",
      "    at main (/srv/cart/main.ts:1:1)",
    ].join("\n");
    const parts = splitStackTrace(text);
    assert.deepEqual(
      parts.map(({ type, lines }) => [type, lines.length]),
      [
        ["text", 2],
        ["library", 3],
        ["text", 1],
      ],
    );
  });

  it("lose no line", () => {
    const line = fc.constantFrom("at java.lang.Thread.run(Thread.java:1)", "at shop.Cart.total(Cart.java:7)", "", "Caused by: x");
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join("\n").replace(/\s+$/, "");
        const all = splitStackTrace(text).flatMap((part) => part.lines);
        assert.equal(all.join("\n"), text);
      }),
    );
  });
});
