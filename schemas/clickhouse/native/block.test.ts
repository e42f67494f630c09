import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { buildCorpus } from "@callchain/tests/bench/corpus.ts";
import { scanRequest } from "../../otlp/scan.ts";
import { SpanBlock } from "./block.ts";
import { readBlock, type NativeRow } from "@callchain/tests/native/block-reader.ts";
import { encodeWithProtobufjs, expectRows, exportRequest, readRow } from "@callchain/tests/native/oracle.ts";

function encode(block: SpanBlock, day = 20_000): Uint8Array {
  return Buffer.concat(block.encode(day));
}

function rowsOf(...requests: readonly Uint8Array[]): NativeRow[] {
  const block = new SpanBlock();
  for (const [index, value] of requests.entries()) block.append({ partition: 7, offset: BigInt(index), value });
  return readBlock(encode(block));
}

test("random requests become the rows that protobufjs' reading of them gives, field by field", () => {
  const block = new SpanBlock();
  fc.assert(
    fc.property(fc.array(exportRequest, { maxLength: 3 }), (requests) => {
      block.reset();
      const bodies = requests.map(encodeWithProtobufjs);
      for (const [index, value] of bodies.entries()) {
        const scanned = scanRequest(value);
        assert.equal(scanned.rejection, null);
        assert.equal(scanned.request, value);
        assert.equal(block.append({ partition: 2, offset: 2n ** 40n + BigInt(index), value }), scanned.spanCount);
      }
      const rows = readBlock(encode(block));
      assert.deepEqual(rows.map(readRow), bodies.flatMap(expectRows));
      assert.equal(block.rowCount, rows.length);
      for (const row of rows) assert.equal(row.get("log_partition"), 2);
    }),
    { numRuns: 400 },
  );
});

test("a corpus of 512-span requests comes back, over several blocks of one reused buffer", () => {
  const block = new SpanBlock();
  const requests = buildCorpus({ requestCount: 6, spansPerRequest: 512 });
  for (const [index, value] of requests.entries()) {
    block.reset();
    assert.equal(block.append({ partition: 0, offset: BigInt(index), value }), 512);
    const bytes = encode(block, 20_001 + index);
    const rows = readBlock(bytes);
    assert.deepEqual(rows.map(readRow), expectRows(value));
    assert.deepEqual(
      new Set(rows.map((row) => [row.get("ingest_day"), row.get("log_offset")].join())),
      new Set([`${20_001 + index},${index}`]),
    );
    const slack = Math.abs(block.byteCount - bytes.length) / bytes.length;
    assert.ok(slack < 0.02, `byteCount ${block.byteCount}, encoded ${bytes.length}`);
  }
});

test("a block without rows has headers only", () => {
  const block = new SpanBlock();
  assert.deepEqual(readBlock(encode(block)), []);
  assert.equal(block.append({ partition: 0, offset: 0n, value: new Uint8Array(0) }), 0);
  assert.deepEqual(readBlock(encode(block)), []);
});

test("a record that throws half way leaves the block as it was", () => {
  const block = new SpanBlock();
  const [good, other] = buildCorpus({ requestCount: 2, spansPerRequest: 50 });
  assert.ok(good !== undefined && other !== undefined);
  block.append({ partition: 0, offset: 1n, value: good });
  const before = encode(block);
  for (const cut of [1, 17, 400, other.length >> 1, other.length - 1]) {
    assert.throws(
      () => block.append({ partition: 4, offset: 9n, value: other.subarray(0, cut) }),
      /log record 4\/9: malformed protobuf near byte \d+: /,
    );
  }
  assert.equal(block.rowCount, 50);
  assert.deepEqual(readBlock(encode(block)), readBlock(before));
  block.append({ partition: 0, offset: 2n, value: other });
  assert.deepEqual(readBlock(encode(block)).map(readRow), [...expectRows(good), ...expectRows(other)]);
});

const ID = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(2) };

function requestOf(span: object, resource: object = {}): Uint8Array {
  return encodeWithProtobufjs({ resourceSpans: [{ resource, scopeSpans: [{ spans: [{ ...ID, ...span }] }] }] });
}

test("times at the edges are stored and flagged", () => {
  const times: readonly [bigint, bigint, bigint, bigint, number][] = [
    [5n, 9n, 5n, 4n, 0],
    [9n, 5n, 9n, 0n, 1],
    [9n, 0n, 9n, 0n, 1],
    [0n, 5n, 5n, 0n, 8],
    [0n, 0n, 0n, 0n, 8],
    [2n ** 63n - 1n, 2n ** 63n - 1n, 2n ** 63n - 1n, 0n, 0],
    [5n, 2n ** 63n, 5n, 2n ** 63n - 6n, 2],
    [2n ** 64n - 1n, 2n ** 64n - 1n, 2n ** 63n - 1n, 0n, 2],
    [2n ** 64n - 1n, 5n, 2n ** 63n - 1n, 0n, 3],
    [2n ** 32n - 1n, 2n ** 32n, 2n ** 32n - 1n, 1n, 0],
  ];
  for (const [start, end, storedStart, duration, anomalies] of times) {
    const [row] = rowsOf(requestOf({ startTimeUnixNano: String(start), endTimeUnixNano: String(end) }));
    assert.deepEqual(
      [row?.get("start"), row?.get("duration_nano"), row?.get("anomalies")],
      [storedStart, duration, anomalies],
      `${start} to ${end}`,
    );
  }
});

test("texts that are not UTF-8 are repaired and flagged, in whatever column they stand", () => {
  const request = requestOf(
    {
      name: "qqq1",
      startTimeUnixNano: "1",
      endTimeUnixNano: "2",
      attributes: [
        { key: "qqq2", value: { stringValue: `qqq3${"x".repeat(200)}` } },
        { key: "n", value: { arrayValue: { values: [{ stringValue: "qqq4" }] } } },
      ],
      events: [{ name: "e", attributes: [{ key: "qqq5", value: { intValue: "1" } }] }],
    },
    { attributes: [{ key: "service.name", value: { stringValue: "qqq6" } }] },
  );
  const clean = rowsOf(request)[0];
  assert.equal(clean?.get("anomalies"), 0);
  for (let at = 0; at + 3 < request.length; at++) {
    if (request[at] !== 0x71 || request[at + 1] !== 0x71 || request[at + 2] !== 0x71) continue;
    const broken = request.slice();
    // A lone continuation byte, then the start of a sequence that is cut short.
    broken.set([0x80, 0x71, 0xe2], at);
    assert.equal(scanRequest(broken).rejectedSpanCount, 0);
    const [row] = rowsOf(broken);
    assert.equal(row?.get("anomalies"), 4);
    assert.ok(JSON.stringify([...(row ?? [])].map(([, value]) => String(value))).includes("\ufffdq\ufffd"));
  }
});

test("10,000 attributes, a text of 5 MB and every size around the buffers' doublings come back", () => {
  const attributes = Array.from({ length: 10_000 }, (_, at) => ({ key: `k${at}`, value: { intValue: String(at) } }));
  const [many] = rowsOf(requestOf({ attributes }));
  assert.deepEqual(
    many?.get("attr_int"),
    attributes.map(({ key }, at) => [key, BigInt(at)]),
  );
  const texts = [0, 1, 95, 96, 97, 127, 128, 4090, 4096, 16_383, 16_384, 65_536, 5_000_000].map((size) => "é".repeat(size >> 1));
  const rows = rowsOf(
    ...texts.map((text) => requestOf({ name: text, attributes: [{ key: text, value: { stringValue: text } }] })),
  );
  assert.deepEqual(
    rows.map((row) => row.get("name")),
    texts,
  );
  assert.deepEqual(
    rows.map((row) => row.get("attr_string")),
    texts.map((text) => [[text, text]]),
  );
});

test("the resource may come after the spans, in pieces, with unknown fields around", () => {
  const spans = encodeWithProtobufjs({ resourceSpans: [{ scopeSpans: [{ spans: [ID], scope: { name: "s" } }] }] });
  const pieceOf = (name: string, value: string): Uint8Array =>
    encodeWithProtobufjs({ resourceSpans: [{ resource: { attributes: [{ key: name, value: { stringValue: value } }] } }] });
  const content = (request: Uint8Array): Uint8Array => request.subarray(2);
  // Unknown: field 9 as varint, fixed64, text, group and fixed32.
  const unknown = [0x48, 1, 0x49, 1, 2, 3, 4, 5, 6, 7, 8, 0x4a, 1, 9, 0x4b, 0x08, 1, 0x4c, 0x4d, 1, 2, 3, 4];
  const parts = [content(spans), unknown, content(pieceOf("service.name", "late")), content(pieceOf("b", "2"))].map((part) => [
    ...part,
  ]);
  const body = parts.flat();
  const request = new Uint8Array([0x0a, (body.length & 0x7f) | 0x80, body.length >> 7, ...body]);
  assert.equal(scanRequest(request).spanCount, 1);
  const [row] = rowsOf(request);
  assert.equal(row?.get("service"), "late");
  assert.equal(row?.get("resource"), '{"service.name":"late","b":"2"}');
  assert.equal(row?.get("scope"), '{"$name":"s"}');
});

test("a dictionary passes 256 and 65,536 keys", () => {
  for (const count of [255, 256, 257, 65_536, 65_537]) {
    const block = new SpanBlock();
    const names: string[] = [];
    for (let start = 0; start < count; start += 8192) {
      const spans = Array.from({ length: Math.min(8192, count - start) }, (_, at) => ({ ...ID, name: `n${start + at}` }));
      names.push(...spans.map(({ name }) => name));
      block.append({ partition: 0, offset: 0n, value: encodeWithProtobufjs({ resourceSpans: [{ scopeSpans: [{ spans }] }] }) });
    }
    assert.deepEqual(
      readBlock(encode(block)).map((row) => row.get("name")),
      names,
    );
  }
});
