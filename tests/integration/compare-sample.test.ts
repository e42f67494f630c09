/** compare() of more spans than it looks at: a sample from all over the range, scaled up, and said. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { parseSeriesQuery } from "@callchain/query-api/search/parse.ts";
import { EVERYTHING } from "@callchain/query-api/search/query.ts";
import { compareSpans } from "@callchain/query-api/store/compare.ts";
import type { SeriesAnswer } from "@callchain/schemas/api/series.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { PATIENCE_MS } from "../support/process.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans } from "../support/span-rows.ts";

const SECOND = 1_000_000_000n;
const EVEN = 1_800_000_000n * SECOND;
const BURST = 1_810_000_000n * SECOND;
const SPAN_COUNT = 4_000;
const STEP_COUNT = 4n;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  for (const [offset, from, stepNano] of [
    [0, EVEN, SECOND],
    [1, BURST + 999n * SECOND, 1000n],
  ] as const)
    await insertSpans(
      stack.writer,
      Array.from({ length: SPAN_COUNT }, (_, at) => ({
        trace: `${offset}-${at}`,
        id: "1",
        service: "a",
        isError: at % 4 === 0,
        startNano: from + BigInt(at) * stepNano,
        text: { "app.zone": at % 4 === 0 ? "bad" : "good" },
      })),
      { partition: 0, offset },
    );
});
after(() => stack.stop());

async function ask(from: bigint, sampleMax: number): Promise<Pick<SeriesAnswer, "series" | "scan">> {
  const range = { from: unixNano(from), to: unixNano(from + BigInt(SPAN_COUNT) * SECOND) };
  const asking = { database: stack.reader, signal: AbortSignal.timeout(PATIENCE_MS) };
  const query = parseSeriesQuery("{ } | compare({ status = error })");
  assert.ok(query.kind === "compare");
  return await compareSpans(query, EVERYTHING, range, (BigInt(SPAN_COUNT) * SECOND) / STEP_COUNT, asking, sampleMax);
}

function zonesOf({ series }: Pick<SeriesAnswer, "series">): Map<string, readonly (number | null)[]> {
  const zones = series.filter(({ by }) => by[0]?.field === "span.app.zone" && by[0].value !== null);
  return new Map(zones.map(({ side, by, values }) => [`${side ?? ""} ${by[0]?.value ?? ""}`, values]));
}

it("is exact where all of them are looked at", async () => {
  const answer = await ask(EVEN, SPAN_COUNT);
  assert.equal(answer.scan.partialReason, null);
  assert.deepEqual(zonesOf(answer).get("selection bad"), [250, 250, 250, 250]);
  assert.deepEqual(zonesOf(answer).get("baseline good"), [750, 750, 750, 750]);
});

for (const [name, from] of [
  ["spread evenly", EVEN],
  ["in one burst, between the windows", BURST],
] as const)
  it(`is nearly right from a tenth of spans that are ${name}`, async () => {
    const answer = await ask(from, SPAN_COUNT / 10);
    assert.match(answer.scan.partialReason ?? "", /^Of 4000 spans \d+ were looked at, from all over the time range/);
    const zones = zonesOf(answer);
    const sumOf = (key: string): number => (zones.get(key) ?? []).reduce<number>((sum, value) => sum + (value ?? 0), 0);
    assert.ok(Math.abs(sumOf("selection bad") - 1000) < 250, JSON.stringify([...zones]));
    assert.ok(Math.abs(sumOf("baseline good") - 3000) < 250, JSON.stringify([...zones]));
    assert.equal(sumOf("selection good") + sumOf("baseline bad"), 0);
  });
