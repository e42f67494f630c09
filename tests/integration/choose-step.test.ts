/** Which steps a question gets that asks for none. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { chooseStep } from "@callchain/query-api/store/choose-step.ts";
import { EVERYTHING, attribute, compare, type Query } from "@callchain/query-api/search/query.ts";
import { parseGroupField, type GroupField } from "@callchain/query-api/store/group-by.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans } from "../support/span-rows.ts";

const SECOND = 1_000_000_000n;
const T = 1_800_000_000n * SECOND;
const route: Query = { expression: compare(attribute("span", "http.route"), "=", { type: "string", value: "/" }) };

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  const spans = Array.from({ length: 30 }, (_, at) => ({
    trace: `t${at}`,
    id: "1",
    service: "a",
    startNano: T + BigInt(at) * SECOND,
  }));
  await insertSpans(stack.writer, spans);
});
after(() => stack.stop());

async function stepSeconds(
  minutes: bigint,
  spanCountMax: number,
  query = EVERYTHING,
  by: GroupField | null = null,
): Promise<number> {
  const range = { from: unixNano(T), to: unixNano(T + minutes * 60n * SECOND) };
  const asking = { database: stack.reader, signal: AbortSignal.timeout(10_000) };
  const { stepNano } = await chooseStep({ range, query, by, stepNano: null }, asking, spanCountMax);
  return Number(stepNano) / 1e9;
}

it("they are round parts of a minute where few spans are in the range, and whole minutes where many are", async () => {
  assert.equal(await stepSeconds(15n, 30), 10);
  assert.equal(await stepSeconds(15n, 29), 60);
  assert.equal(await stepSeconds(60n, 29, EVERYTHING, parseGroupField("service") ?? null), 60);
  assert.equal(await stepSeconds(1440n, 29), 900);
});

it("they stay parts of a minute where the rollups do not tell, or where there would be few", async () => {
  assert.equal(await stepSeconds(15n, 29, route), 10);
  assert.equal(await stepSeconds(15n, 29, EVERYTHING, parseGroupField("name") ?? null), 10);
  assert.equal(await stepSeconds(9n, 29), 5);
});
