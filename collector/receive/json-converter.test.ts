import assert from "node:assert/strict";
import { after, test } from "node:test";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";
import { JsonConverter } from "./json-converter.ts";

const converter = new JsonConverter(64 * 1024 * 1024);
after(() => converter.stop());

const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "00f067aa0ba902b7", name: "charge" };
const bodyOf = (spans: readonly unknown[]): Uint8Array =>
  Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
const SMALL = bodyOf([span]);
const LARGE = bodyOf(Array.from({ length: 5_000 }, () => span));

test("a large body is converted on the thread to what it is converted to here", async () => {
  const [large, small, again] = await Promise.all([converter.convert(LARGE), converter.convert(SMALL), converter.convert(LARGE)]);
  assert.ok(Buffer.from(large).equals(encodeRequestFromJson(LARGE)));
  assert.ok(Buffer.from(small).equals(encodeRequestFromJson(SMALL)));
  assert.ok(Buffer.from(again).equals(large));
});

test("a large body that is no OTLP/JSON is refused with the place of its fault", async () => {
  await assert.rejects(converter.convert(bodyOf([...Array.from({ length: 5_000 }, () => span), 7])), {
    code: "invalid",
    message: /spans\[5000\].*given 7/,
  });
  await assert.rejects(converter.convert(LARGE.subarray(0, LARGE.length - 1)), { code: "invalid", message: /not valid JSON/ });
});

test("a body that would take too much memory is refused before it is read", async () => {
  const bomb = Buffer.from(`[${"{},".repeat(1_000_000)}{}]`);
  const [refused, taken] = await Promise.allSettled([converter.convert(bomb), converter.convert(LARGE)]);
  assert.equal(refused.status === "rejected" && refused.reason.code, "too_large");
  assert.equal(taken.status, "fulfilled");
});

test("stopping rejects what is not converted yet as unavailable", async () => {
  const waiting = assert.rejects(converter.convert(LARGE), { code: "unavailable" });
  await converter.stop();
  await waiting;
});
