import assert from "node:assert/strict";
import { it } from "node:test";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import type { LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { readWithRest } from "./counted-ends.ts";
import type { Asking } from "./range.ts";

/** What the statement for the ends is answered. */
function askingOf(ends: LogEnds): { asking: Asking; count: () => number } {
  let count = 0;
  const rows = [...ends].map(([partition, next]) => ({ partition, next: next.toString() }));
  const query = (): Promise<unknown> => {
    count += 1;
    return Promise.resolve({ rows, scan: { rows: 1, bytes: 1, elapsedMs: 1 } });
  };
  const database = { query } as unknown as SpanDatabase; // nothing else is asked of it
  return { asking: { database, signal: new AbortController().signal }, count: () => count };
}

const BEFORE: LogEnds = new Map([
  [0, 5n],
  [3, 9n],
]);

it("the rest is read beside the counts, once, and the ends are looked for once in a question", async () => {
  const { asking, count } = askingOf(BEFORE);
  for (let repeat = 0; repeat < 2; repeat += 1) {
    const asked: LogEnds[] = [];
    const readRest = (ends: LogEnds): Promise<string> => {
      asked.push(ends);
      return Promise.resolve("rest");
    };
    const { rest } = await readWithRest("edge_rollups", asking, () => Promise.resolve({ ends: new Map(BEFORE) }), readRest);
    assert.equal(rest, "rest");
    assert.deepEqual(asked, [BEFORE]);
  }
  assert.equal(count(), 1);
});

it("the rest is read again behind a step that was taken in between, and what was being read is let go", async () => {
  const after: LogEnds = new Map([...BEFORE, [3, 12n]]);
  const { asking } = askingOf(BEFORE);
  const signals: AbortSignal[] = [];
  const readRest = (ends: LogEnds, among: Asking): Promise<LogEnds> => {
    signals.push(among.signal);
    // The first one fails once it is let go, as a statement does.
    return signals.length > 1
      ? Promise.resolve(ends)
      : new Promise((_resolve, reject) => among.signal.addEventListener("abort", () => reject(new Error("let go"))));
  };
  const { rest } = await readWithRest("edge_rollups", asking, () => Promise.resolve({ ends: after }), readRest);
  assert.deepEqual(rest, after);
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, false],
  );
});

it("where the counts fail, the rest is let go and the failure stands", async () => {
  const { asking } = askingOf(BEFORE);
  let isLetGo = false;
  const readRest = (_ends: LogEnds, among: Asking): Promise<never> =>
    new Promise((_resolve, reject) => {
      among.signal.addEventListener("abort", () => {
        isLetGo = true;
        reject(new Error("let go"));
      });
    });
  await assert.rejects(
    readWithRest("edge_rollups", asking, () => Promise.reject(new Error("no counts")), readRest),
    /no counts/,
  );
  assert.equal(isLetGo, true);
});
