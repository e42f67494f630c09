import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { NO_FILTERS } from "../search-filters.ts";
import { quoteText } from "./completion.ts";
import { addCondition, conditionFor, narrowToGroup } from "./narrow.ts";

describe("one more condition", () => {
  it("goes into the spanset, keeping an || together", () => {
    assert.equal(addCondition("", "a"), "{ a }");
    assert.equal(addCondition("{ }", "a"), "{ a }");
    assert.equal(addCondition("{ x = 1 }", "a"), "{ x = 1 && a }");
    assert.equal(addCondition("{ x = 1 || y = 2 }", "a"), "{ (x = 1 || y = 2) && a }");
    assert.equal(addCondition('{ x = "||" }', "a"), '{ x = "||" && a }');
    assert.equal(addCondition("checkout user=1", "a"), "(checkout user=1) && a");
  });

  it("goes into the last spanset before a pipeline", () => {
    assert.equal(addCondition("{ x = 1 } >> { y = 2 } | count() > 2", "a"), "{ x = 1 } >> { y = 2 && a } | count() > 2");
  });

  it("never gets into a text, whatever that holds", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const quoted = quoteText(text);
        assert.equal(addCondition(`{ name = ${quoted} }`, "kind = server"), `{ name = ${quoted} && kind = server }`);
      }),
    );
  });
});

describe("the search for one group", () => {
  it("uses the form's fields where there are any", () => {
    assert.deepEqual(narrowToGroup(NO_FILTERS, "service", "cart"), { ...NO_FILTERS, service: "cart" });
    assert.deepEqual(narrowToGroup(NO_FILTERS, "name", "GET /"), { ...NO_FILTERS, name: "GET /" });
  });

  it("asks for a number as number and as text, and for absence by nil", () => {
    assert.equal(conditionFor("span.code", "500"), '(span.code = "500" || span.code = 500)');
    assert.equal(narrowToGroup(NO_FILTERS, "region", null).q, "{ .region = nil }");
    assert.equal(narrowToGroup(NO_FILTERS, "kind", "server").q, "{ kind = server }");
    assert.equal(narrowToGroup({ ...NO_FILTERS, service: "a" }, "service", "b").q, '{ resource.service.name = "b" }');
  });
});
