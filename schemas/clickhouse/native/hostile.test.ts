import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { buildCorpus } from "@callchain/tests/bench/corpus.ts";
import { readBlock } from "@callchain/tests/native/block-reader.ts";
import { encodeWithProtobufjs, expectRows, exportRequest, readRow } from "@callchain/tests/native/oracle.ts";
import { encodeRequestFromJson } from "../../otlp/json.ts";
import { scanRequest } from "../../otlp/scan.ts";
import { InvalidError } from "../../span/errors.ts";
import { SpanBlock } from "./block.ts";

/** Changes that reach past the first length: single bits and bytes, numbers made large, pieces cut, doubled, moved. */
type Mutation = (body: Uint8Array, at: number, value: number) => Uint8Array;
const mutations: readonly Mutation[] = [
  (body, at, value) => body.with(at, value & 0xff),
  (body, at, value) => body.with(at, (body[at] ?? 0) ^ (1 << (value & 7))),
  (body, at) => body.with(at, 0xff).fill(0xff, at, at + 3),
  (body, at) => body.with(at, (body[at] ?? 0) + 1),
  (body, at) => body.slice(0, at),
  (body, at, value) => Uint8Array.from([...body.subarray(0, at), ...body.subarray(at + 1 + (value % 20))]),
  (body, at, value) => Uint8Array.from([...body.subarray(0, at), value & 0xff, ...body.subarray(at)]),
  (body, at, value) => Uint8Array.from([...body.subarray(0, at), ...body.subarray(value % body.length)]),
  spoilId,
  spoilId,
  emptyValue,
];

/** Finds the next id by its tag and length, then makes it another field or all zero: what only costs a span. */
function spoilId(body: Uint8Array, at: number, value: number): Uint8Array {
  const [tag, size] = value % 2 === 0 ? [0x0a, 16] : [0x12, 8];
  for (let start = at; start + 2 + size <= body.length; start++) {
    if (body[start] !== tag || body[start + 1] !== size) continue;
    return value % 4 < 2 ? body.with(start, 0x1a) : body.slice().fill(0, start + 2, start + 2 + size);
  }
  return body;
}

/** Finds the next length-delimited field 2, a value of an attribute for one, and says that it is empty: what was in it follows it. */
function emptyValue(body: Uint8Array, at: number): Uint8Array {
  const start = body.indexOf(0x12, at);
  return start === -1 || start + 1 === body.length ? body : body.with(start + 1, 0);
}

const mutation = fc.record({
  kind: fc.nat(mutations.length - 1),
  at: fc.nat(),
  value: fc.nat(),
});

function mutate(body: Uint8Array, steps: readonly { kind: number; at: number; value: number }[]): Uint8Array {
  let changed = body;
  for (const { kind, at, value } of steps) {
    if (changed.length > 0) changed = mutations[kind]?.(changed, at % changed.length, value) ?? changed;
  }
  return changed;
}

/** Throws again what is not the error that is meant for the caller. */
function invalidOrThrow(error: unknown): void {
  if (!(error instanceof InvalidError)) throw error;
}

test("4,000 mutated requests are refused or stored, and whatever passes the scan is stored whole", () => {
  const block = new SpanBlock();
  const outcome = { refused: 0, partial: 0, stored: 0 };
  const check = (body: Uint8Array): void => {
    let scanned;
    try {
      scanned = scanRequest(body);
    } catch (error) {
      outcome.refused++;
      invalidOrThrow(error);
      return;
    }
    if (scanned.rejectedSpanCount > 0) {
      outcome.partial++;
      assert.match(scanned.rejection ?? "", /^resourceSpans\[\d+\]\.\w+.*: /);
      assert.equal(scanRequest(scanned.request).spanCount, scanned.spanCount);
    } else {
      outcome.stored++;
      assert.equal(scanned.request, body);
    }
    block.reset();
    assert.equal(block.append({ partition: 0, offset: 0n, value: scanned.request }), scanned.spanCount);
    assert.equal(readBlock(Buffer.concat(block.encode(1))).length, scanned.spanCount);
  };
  fc.assert(
    fc.property(exportRequest, fc.array(mutation, { minLength: 1, maxLength: 3 }), (request, steps) => {
      check(mutate(encodeWithProtobufjs(request), steps));
    }),
    { numRuns: 4000 },
  );
  for (const [name, times] of Object.entries(outcome)) assert.ok(times > 50, `${name}: ${times}`);
  const [good] = buildCorpus({ requestCount: 1, spansPerRequest: 20 });
  assert.ok(good !== undefined);
  block.reset();
  block.append({ partition: 0, offset: 0n, value: good });
  assert.deepEqual(readBlock(Buffer.concat(block.encode(1))).map(readRow), expectRows(good));
});

test("an empty value of an attribute is empty, whatever follows it", () => {
  const ids = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(2) };
  const attributes = [{ key: "http.response.status_code", value: { intValue: 200 } }];
  const body = encodeWithProtobufjs({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...ids, attributes }] }] }] });
  const valueAt = body.lastIndexOf(0x12);
  assert.deepEqual([...body.subarray(valueAt)], [0x12, 3, 0x18, 0xc8, 1]);
  // The number is now an unknown field of the attribute.
  const changed = body.with(valueAt + 1, 0);
  assert.equal(scanRequest(changed).spanCount, 1);
  const block = new SpanBlock();
  assert.equal(block.append({ partition: 0, offset: 0n, value: changed }), 1);
  const [row] = readBlock(Buffer.concat(block.encode(1)));
  assert.deepEqual([row?.get("attr_int"), row?.get("attr_json")], [[], [["http.response.status_code", "null"]]]);
});

test("random bytes are refused or empty", () => {
  const block = new SpanBlock();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (body) => {
      try {
        block.append({ partition: 0, offset: 0n, value: body });
      } catch (error) {
        invalidOrThrow(error);
        assert.equal(block.rowCount, 0);
      }
    }),
    { numRuns: 5000 },
  );
});

test("4,000 mutated JSON bodies are refused or become requests that can be scanned", () => {
  const encoder = new TextEncoder();
  const words = ["null", "{}", "[]", "1e999", '"x"', "-1", "9999999999999999999999", "true", '{"__proto__":1}', "[[[["];
  const span = {
    traceId: "0AF7651916CD43DD8448EB211C80319C",
    spanId: "b7ad6b7169203331",
    name: "x",
    kind: 2,
    startTimeUnixNano: "1544712660000000001",
    endTimeUnixNano: 1_544_712_661_000,
    attributes: [
      { key: "a", value: { stringValue: "b" } },
      { key: "b", value: { arrayValue: { values: [{ intValue: "1" }, { kvlistValue: { values: [{ key: "c" }] } }] } } },
    ],
    events: [{ timeUnixNano: "1", name: "e" }],
    links: [{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }],
    status: { code: 2, message: "m" },
  };
  const text = JSON.stringify({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans: [span] }] }] });
  const values = [...text.matchAll(/(?<=[:[,])("[^"]*"|\d+|\{\}|\[\])/g)].map(({ index, 0: value }) => [index, value.length]);
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...words), fc.option(mutation), (which, word, step) => {
      const [at = 0, length = 0] = values[which % values.length] ?? [];
      const changed = encoder.encode(text.slice(0, at) + word + text.slice(at + length));
      try {
        scanRequest(encodeRequestFromJson(step === null ? changed : mutate(changed, [step])));
      } catch (error) {
        invalidOrThrow(error);
      }
    }),
    { numRuns: 4000 },
  );
});

test("a value 32 deep is stored, one 33 deep is left out by the scan and refused by the block", () => {
  const nested = (depth: number): object => {
    let value: object = { intValue: "1" };
    for (let level = 1; level < depth; level++) {
      value = level % 2 === 0 ? { arrayValue: { values: [value] } } : { kvlistValue: { values: [{ key: "k", value }] } };
    }
    return value;
  };
  const ids = { traceId: "01".repeat(16), spanId: "02".repeat(8) };
  const bodyOf = (depth: number): Uint8Array => {
    const spans = [ids, { ...ids, attributes: [{ key: "a", value: nested(depth) }] }];
    return encodeRequestFromJson(new TextEncoder().encode(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })));
  };
  const block = new SpanBlock();
  assert.equal(scanRequest(bodyOf(32)).spanCount, 2);
  assert.equal(block.append({ partition: 0, offset: 0n, value: bodyOf(32) }), 2);
  const text = `${'{"k":['.repeat(15)}{"k":1}${"]}".repeat(15)}`;
  assert.deepEqual(readBlock(Buffer.concat(block.encode(1)))[1]?.get("attr_json"), [["a", text]]);
  for (const depth of [33, 34, 500]) {
    const scanned = scanRequest(bodyOf(depth));
    assert.deepEqual([scanned.spanCount, scanned.rejectedSpanCount], [1, 1]);
    assert.equal(scanned.rejection, "resourceSpans[0].scopeSpans[0].spans[1].attributes: a value nests deeper than 32");
    assert.throws(() => block.append({ partition: 0, offset: 0n, value: bodyOf(depth) }), /nests deeper than 32/);
    assert.equal(block.append({ partition: 0, offset: 0n, value: scanned.request }), 1);
  }
});

test("keys chosen to collide cost no more than others", () => {
  const ids = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(2) };
  const bodiesOf = (keyOf: (index: number) => string): Uint8Array[] =>
    Array.from({ length: 10 }, (_, span) => {
      const attributes = Array.from({ length: 10_000 }, (_each, at) => ({
        key: keyOf(span * 10_000 + at),
        value: { stringValue: "" },
      }));
      return encodeWithProtobufjs({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...ids, attributes }] }] }] });
    });
  const cpuMs = (bodies: readonly Uint8Array[]): number => {
    const block = new SpanBlock();
    const start = process.cpuUsage();
    for (const value of bodies) block.append({ partition: 0, offset: 0n, value });
    const { user, system } = process.cpuUsage(start);
    assert.equal(block.rowCount, 10);
    return (user + system) / 1000;
  };
  // The same length and the same bytes at the start, in the middle and at the end, where the fast hash looks.
  const collidingKey = (index: number): string => `aaaa${String(index).padStart(8, "0")}mmmmmm${"b".repeat(8)}zzzz`;
  const plain = cpuMs(bodiesOf((index) => String(index * 7919).padStart(30, "0")));
  const colliding = cpuMs(bodiesOf(collidingKey));
  // A search along colliding keys would take thousands of times as long.
  assert.ok(colliding < 20 * plain + 200, `100,000 keys: ${plain.toFixed(0)} ms of CPU, colliding ${colliding.toFixed(0)} ms`);
});
