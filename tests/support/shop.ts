/** An all-in-one with the demo shop's traffic of the last 50 minutes, and a browser, for the tests of a page. */
import { Shop } from "@callchain/deploy/demo/demo.ts";
import { sendSpans } from "@callchain/deploy/demo/sender.ts";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { openPageStack, type PageStack } from "./page-stack.ts";
import { getJson, until } from "./process.ts";

const TRACE_COUNT = 400;
const SPACING_MS = 7000;
const FIRST_BEFORE_MS = 3_000_000;

/** Resolves when the spans can be found. The caller closes it. */
export async function openShop(): Promise<PageStack> {
  const stack = await openPageStack();
  const { otlpHttpUrl, queryUrl } = stack.callchain;
  const nowMs = Date.now();
  const starts = Array.from({ length: TRACE_COUNT }, (_, index) => nowMs - FIRST_BEFORE_MS + index * SPACING_MS);
  await sendSpans(otlpHttpUrl, new Shop(1).traces(starts));
  await until("the last traces are found", async () => {
    const answer = await getJson(`${queryUrl}/api/v1/traces?service=notification&from=now-30m&limit=1`);
    return TraceSearchAnswer.parse(answer).traces.length > 0;
  });
  return stack;
}
