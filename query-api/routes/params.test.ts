import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { pathParam, queryParam, readParams, timeRange, type RawParams } from "./params.ts";
import { ParameterError } from "./problem.ts";

const NOW = unixNano(1_769_860_800_000_000_000n);

const TABLE = {
  id: pathParam.spanId("id"),
  ...timeRange,
  limit: queryParam.wholeNumber(20, 1, 100, "limit"),
  sort: queryParam.oneOf(["up", "down"], "up", "sort"),
  p: queryParam.list([50], "a number", 3, (text) => (/^\d+$/.test(text) ? Number(text) : undefined), "p"),
  tag: queryParam.repeated("a word", 2, (text) => (text === "" ? undefined : text), "tag"),
  text: queryParam.text("text"),
};

const raw = (texts: Readonly<Record<string, readonly string[]>>): RawParams =>
  new Map(Object.entries({ id: ["00f067aa0ba902b7"], ...texts }));

function faultsOf(texts: Readonly<Record<string, readonly string[]>>): string[] {
  try {
    readParams(TABLE, raw(texts), NOW);
  } catch (error) {
    assert.ok(error instanceof ParameterError);
    return error.faults.map(({ parameter }) => parameter);
  }
  return [];
}

describe("parameters", () => {
  it("take their fallbacks where they are absent", () => {
    assert.deepEqual(readParams(TABLE, raw({}), NOW), {
      id: "00f067aa0ba902b7",
      from: NOW - 3_600_000_000_000n,
      to: NOW,
      limit: 20,
      sort: "up",
      p: [50],
      tag: [],
      text: null,
    });
  });

  it("are read by their own entry of the table", () => {
    const read = readParams(
      TABLE,
      raw({ limit: ["7"], sort: ["down"], p: ["50, 99"], tag: ["a", "b"], text: [""], to: ["now+1m"] }),
      NOW,
    );
    assert.deepEqual(
      [read.limit, read.sort, read.p, read.tag, read.text, read.to],
      [7, "down", [50, 99], ["a", "b"], null, NOW + 60_000_000_000n],
    );
  });

  it("tell all faults at once, unknown and repeated names among them", () => {
    const faults = faultsOf({
      limit: ["101"],
      sort: ["UP"],
      p: ["1,2,3,4"],
      tag: ["a", "b", "c"],
      zzz: [""],
      text: ["a", "b"],
      id: ["x"],
    });
    assert.deepEqual(new Set(faults), new Set(["limit", "sort", "p", "tag", "zzz", "text", "id"]));
  });

  it("are refused where the time range is empty", () => {
    assert.deepEqual(faultsOf({ from: ["now"], to: ["now"] }), ["from"]);
    assert.deepEqual(faultsOf({ from: ["now-1h"], to: ["now-2h"] }), ["from"]);
  });

  it("keep names of JavaScript's own apart from the table", () => {
    assert.deepEqual(faultsOf({ constructor: ["x"], toString: ["x"] }), ["constructor", "toString"]);
  });
});
