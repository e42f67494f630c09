/** The slowest spans, one a trace, however many are as slow as each other and however many of the slowest are of one trace. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { ExemplarsAnswer } from "@callchain/schemas/api/aggregates.ts";
import * as fc from "fast-check";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, spanIdOf, traceIdOf, type SpanSeed } from "../support/span-rows.ts";

const DAY = 86_400_000_000_000n;
const START = 20_000n * DAY;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
});
after(() => stack.stop());

interface Drawn {
  readonly trace: number;
  readonly duration: number;
  readonly start: number;
}

function slowestOf(spans: readonly SpanSeed[], limit: number): unknown[] {
  const keyOf = ({ durationNano = 0n, startNano, id }: SpanSeed): string =>
    `${(10_000_000n - durationNano).toString().padStart(9, "0")} ${startNano} ${spanIdOf(id)}`;
  const best = Map.groupBy(
    spans.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    ({ trace }) => trace,
  );
  return [...best.values()]
    .slice(0, limit)
    .flatMap(([first]) => (first === undefined ? [] : [[traceIdOf(first.trace), spanIdOf(first.id)]]));
}

it("gives the slowest spans, one a trace, of equals the one that began first", async () => {
  const drawn = fc.record({ trace: fc.nat({ max: 40 }), duration: fc.nat({ max: 12 }), start: fc.nat({ max: 20 }) });
  const isOne = fc.record({ trace: fc.constant(0), duration: fc.integer({ min: 12, max: 14 }), start: fc.nat({ max: 20 }) });
  const lists = fc.oneof(
    fc.array(drawn, { minLength: 1, maxLength: 80, size: "max" }),
    fc
      .tuple(fc.array(isOne, { minLength: 70, maxLength: 80 }), fc.array(drawn, { maxLength: 40 }))
      .map((parts): Drawn[] => parts.flat()),
    fc.array(drawn, { minLength: 60, maxLength: 80 }).map((all): Drawn[] => all.map((one) => ({ ...one, duration: 1 }))),
  );
  let day = 0n;
  await fc.assert(
    fc.asyncProperty(lists, async (list) => {
      day += 1n;
      const from = START + day * DAY;
      const spans = list.map(({ trace, duration, start }, at) => ({
        trace: `t${trace} ${day}`,
        id: String(at),
        service: "a",
        startNano: from + BigInt(start),
        durationNano: BigInt(duration) * 1000n,
      }));
      await insertSpans(stack.writer, spans, { partition: 0, offset: Number(day) });
      for (const limit of [1, 3, 10, 50]) {
        const { status, body } = await stack.ask("/exemplars", { from, to: from + DAY, limit });
        assert.equal(status, 200, JSON.stringify(body));
        const found = ExemplarsAnswer.parse(body).spans.map(({ traceId, spanId }) => [traceId, spanId]);
        assert.deepEqual(found, slowestOf(spans, limit));
      }
    }),
    { numRuns: 25, endOnFailure: true },
  );
});
