import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { parseGroupField } from "./group-by.ts";
import { chooseStepNano, countPoints } from "./steps.ts";

describe("steps", () => {
  it("cut any range into at most 121 parts that cover it", () => {
    const time = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(time, time, (a, b) => {
        if (a === b) return;
        const range = { from: unixNano(a < b ? a : b), to: unixNano(a < b ? b : a) };
        const step = chooseStepNano(range);
        const count = countPoints(range, step);
        assert.ok(count >= 1 && count <= 121);
        const first = (range.from / step) * step;
        assert.ok(first <= range.from && first + BigInt(count) * step >= range.to);
      }),
    );
  });
});

describe("the field to group by", () => {
  it("is the resource's where its namespace says so, else the span's or the resource's", () => {
    assert.deepEqual(parseGroupField("service.version"), { kind: "attribute", scope: "resource", key: "service.version" });
    assert.deepEqual(parseGroupField("service.peer.name"), { kind: "attribute", scope: "any", key: "service.peer.name" });
    assert.deepEqual(parseGroupField(".http.route"), { kind: "attribute", scope: "any", key: "http.route" });
    assert.deepEqual(parseGroupField("span.service.version"), { kind: "attribute", scope: "span", key: "service.version" });
    assert.deepEqual(parseGroupField("kind"), { kind: "intrinsic", name: "kind" });
  });

  it("is refused where spans cannot be grouped by it", () => {
    for (const text of ["", "duration", "trace:id", "event.exception.type", "a\0b"])
      assert.equal(parseGroupField(text), undefined);
  });
});
