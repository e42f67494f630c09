import assert from "node:assert/strict";
import { test } from "node:test";
import { sumProfile } from "./cpu-profile.ts";

test("a profile is summed up by the time in each function itself, without the idle time", () => {
  const frame = (functionName: string, url = "", lineNumber = -1) => ({ functionName, url, lineNumber });
  const nodes = [
    { id: 1, callFrame: frame("(root)") },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("push", "file:///x/node_modules/y/z.js", 9) },
    { id: 4, callFrame: frame("push", "file:///x/node_modules/y/z.js", 9) },
    { id: 5, callFrame: frame("(garbage collector)") },
  ];
  assert.deepEqual(sumProfile({ nodes, samples: [2, 3, 4, 5], timeDeltas: [1000, 200, 100, 100] }), [
    { name: "push y/z.js:10", share: 0.75 },
    { name: "(garbage collector)", share: 0.25 },
  ]);
});
