import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { changeParams, hrefOf, parseRoute, pathOf, type Route } from "./route.ts";

describe("addresses", () => {
  it("name their pages", () => {
    assert.deepEqual(parseRoute("/"), { page: "services" });
    assert.deepEqual(parseRoute("/search"), { page: "search" });
    assert.deepEqual(parseRoute("/map/"), { page: "map" });
    assert.deepEqual(parseRoute("/live"), { page: "live" });
    assert.deepEqual(parseRoute("/open"), { page: "open" });
    assert.deepEqual(parseRoute("/dependencies"), { page: "map" });
    assert.deepEqual(parseRoute("/service/a%2Fb"), { page: "service", name: "a/b" });
    assert.deepEqual(parseRoute("/nothing/here"), { page: "notFound", path: "/nothing/here" });
    assert.deepEqual(parseRoute("/service/%E0%A4%A"), { page: "notFound", path: "/service/%E0%A4%A" });
  });

  it("take a trace id as Jaeger writes it: short, or in capitals", () => {
    const traceId = "0000000000000000ab12cd34ef567890";
    assert.deepEqual(parseRoute("/trace/AB12CD34EF567890"), { page: "trace", traceId });
    assert.deepEqual(parseRoute(`/trace/${traceId}`), { page: "trace", traceId });
    assert.deepEqual(parseRoute("/trace/not-an-id"), { page: "trace", traceId: "not-an-id" });
  });

  it("come back from any service name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (name) => {
        const route: Route = { page: "service", name };
        assert.deepEqual(parseRoute(pathOf(route)), route);
      }),
    );
  });

  it("write a lone surrogate without failing", () => {
    assert.equal(pathOf({ page: "service", name: "\ud800" }), "/service/%EF%BF%BD");
  });

  it("change only the parameters named", () => {
    const params = new URLSearchParams("a=1&b=2&c=3");
    const changed = changeParams(params, { a: null, b: ["x", "y"], d: "4", c: "" });
    assert.equal(changed.toString(), "b=x&b=y&d=4");
    assert.equal(params.toString(), "a=1&b=2&c=3");
  });

  it("leave the question mark out when there is no query", () => {
    assert.equal(hrefOf({ page: "map" }), "/map");
    assert.equal(hrefOf({ page: "map" }, new URLSearchParams({ focus: "service:a,b" })), "/map?focus=service:a,b");
  });
});
