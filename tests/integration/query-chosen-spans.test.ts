/** Questions about spans that relations and pipelines choose, on the real engine against the reference in memory. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseTraceQuery } from "@callchain/query-api/search/parse.ts";
import { ExemplarsAnswer, HeatmapAnswer } from "@callchain/schemas/api/aggregates.ts";
import { OutliersAnswer } from "@callchain/schemas/api/analysis.ts";
import { LatencyAnswer } from "@callchain/schemas/api/catalog.ts";
import { SeriesAnswer } from "@callchain/schemas/api/series.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import type { z } from "zod";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { FROM, buildTraces } from "../support/random-traces.ts";
import { spansFound } from "../support/series-reference.ts";
import { buildSpan, spanIdOf, storeSpans, traceIdOf } from "../support/store-spans.ts";

const STEP_NANO = 400_000_000n;
const SPANS = buildTraces(7, 0);

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await storeSpans(stack.writer, SPANS);
});
after(() => stack.stop());

describe("spans that are chosen by their traces", () => {
  it("are what /latency, /heatmap, /exemplars and /outliers speak of", async () => {
    const to = FROM + 3n * STEP_NANO;
    for (const q of ["{ } >> { status != ok }", "{ status = error } ~ { } | count() > 1", '{ name = "nobody" } > { }']) {
      const spans = spansFound(SPANS, parseTraceQuery(q), FROM, to);
      const askAbout = async <T>(path: string, answer: z.ZodType<T>, params: Record<string, string> = { q }): Promise<T> => {
        const { status, body } = await stack.ask(path, { ...params, from: FROM, to });
        assert.equal(status, 200, `${path} ${q}: ${JSON.stringify(body)}`);
        return answer.parse(body);
      };
      const latency = await askAbout("/latency", LatencyAnswer);
      const heatmap = await askAbout("/heatmap", HeatmapAnswer);
      const exemplars = await askAbout("/exemplars", ExemplarsAnswer);
      const outliers = await askAbout("/outliers", OutliersAnswer, { selection: q });
      assert.equal(latency.groups[0]?.total.count, spans.length, q);
      assert.equal(
        heatmap.cells.reduce((sum, { count }) => sum + count, 0),
        spans.length,
        q,
      );
      const longest = spans.reduce((most, { durationNano }) => (durationNano > most ? durationNano : most), 0n);
      assert.equal(exemplars.spans[0]?.durationNano ?? 0, Number(longest), q);
      assert.equal(outliers.selectionSpanCount, spans.length, q);
      for (const answer of [latency, heatmap, exemplars]) assert.deepEqual(parseTraceQuery(answer.query), parseTraceQuery(q));
      assert.deepEqual(parseTraceQuery(outliers.selection), parseTraceQuery(q));
      assert.equal(latency.scan.partial, false);
    }
  });

  it("are the newest where there are more than can be told, and the answer says since when", async () => {
    const start = FROM + 86_400_000_000_000n;
    const count = 24_000;
    const spans = Array.from({ length: count }, (_, at) =>
      buildSpan({
        traceId: traceIdOf(1_000_000 + Math.floor(at / 100)),
        spanId: spanIdOf(at + 1),
        parentSpanId: at % 100 === 0 ? null : spanIdOf(at - (at % 100) + 1),
        startNano: unixNano(start + BigInt(at) * 1000n),
      }),
    );
    await storeSpans(stack.writer, spans, 1_000n);
    const within = { from: start, to: start + 1_000_000_000n };
    const { status, body } = await stack.ask("/series", { ...within, q: "{ } &> { } | count_over_time()" });
    assert.equal(status, 200, JSON.stringify(body));
    const { series, scan } = SeriesAnswer.parse(body);
    assert.equal(
      series.flatMap(({ values }) => values).reduce<number>((sum, value) => sum + (value ?? 0), 0),
      20_000,
    );
    assert.match(scan.partialReason ?? "", new RegExp(`start at ${start + 4_000_000n - 999n} ns or later`));
    // Three times in one statement.
    const both = await stack.ask("/outliers", { ...within, q: "{ } &> { }", selection: "{ } > { }" });
    assert.equal(both.status, 200, JSON.stringify(both.body));
  });
});
