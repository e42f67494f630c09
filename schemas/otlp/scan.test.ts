import assert from "node:assert/strict";
import { test } from "node:test";
import { ExportRequest } from "@callchain/tests/bench/otlp-schema.ts";
import { InvalidError } from "../span/errors.ts";
import { scanRequest } from "./scan.ts";

const TRACE = new Uint8Array(16).fill(1);
const SPAN = new Uint8Array(8).fill(2);
const good = { traceId: TRACE, spanId: SPAN, name: "good" };

function encode(...scopes: readonly (readonly object[])[]): Uint8Array {
  const resourceSpans = scopes.map((spans) => ({ schemaUrl: "u", resource: {}, scopeSpans: [{ spans, schemaUrl: "v" }] }));
  return ExportRequest.encode(ExportRequest.fromObject({ resourceSpans })).finish();
}

/** What protobufjs reads, as plain data. */
function read(request: Uint8Array): unknown {
  return ExportRequest.decode(request).toJSON();
}

test("an empty request is good and holds no span", () => {
  const empty = new Uint8Array(0);
  assert.deepEqual(scanRequest(empty), { request: empty, spanCount: 0, rejectedSpanCount: 0, rejection: null });
});

test("a good request comes back as the same bytes", () => {
  const request = encode([good, { ...good, parentSpanId: SPAN, links: [{ traceId: TRACE, spanId: SPAN }] }], [good]);
  const scanned = scanRequest(request);
  assert.equal(scanned.request, request);
  assert.deepEqual([scanned.spanCount, scanned.rejectedSpanCount, scanned.rejection], [3, 0, null]);
});

const faults: readonly [object, string][] = [
  [{ traceId: new Uint8Array(8).fill(1) }, "traceId: expected 16 bytes, given 8"],
  [{ traceId: new Uint8Array(0) }, "traceId: expected 16 bytes, given none"],
  [{ traceId: new Uint8Array(16) }, "traceId: expected 16 bytes that are not all zero, given zeros"],
  [{ spanId: new Uint8Array(9).fill(1) }, "spanId: expected 8 bytes, given 9"],
  [{ spanId: new Uint8Array(8) }, "spanId: expected 8 bytes that are not all zero, given zeros"],
  [{ parentSpanId: new Uint8Array(7) }, "parentSpanId: expected 8 bytes or none, given 7 bytes"],
  [{ links: [{ traceId: TRACE, spanId: SPAN }, { traceId: TRACE }] }, "links[1].spanId: expected 8 bytes, given none"],
  [
    { links: [{ traceId: new Uint8Array(16), spanId: SPAN }] },
    "links[0].traceId: expected 16 bytes that are not all zero, given zeros",
  ],
  [{ events: Array.from({ length: 65_537 }, () => ({})) }, "events: expected at most 65536, given 65537"],
  [{ attributes: Array.from({ length: 65_537 }, () => ({})) }, "attributes: expected at most 65536, given 65537"],
];

test("a bad span is left out, the others stay, the first reason is told", () => {
  for (const [fault, reason] of faults) {
    const bad = { ...good, ...fault };
    const scanned = scanRequest(encode([good], [good, bad, good, bad]));
    assert.deepEqual([scanned.spanCount, scanned.rejectedSpanCount], [3, 2], reason);
    assert.equal(scanned.rejection, `resourceSpans[1].scopeSpans[0].spans[1].${reason}`);
    assert.deepEqual(read(scanned.request), read(encode([good], [good, good])));
    assert.equal(scanRequest(scanned.request).rejection, null);
  }
});

test("a request of bad spans only leaves nothing to store", () => {
  const scanned = scanRequest(encode([{ name: "no ids" }], [{ name: "none here" }]));
  assert.deepEqual([scanned.spanCount, scanned.rejectedSpanCount], [0, 2]);
});

test("a resource or scope that cannot be stored takes its spans with it", () => {
  let value: object = {};
  for (let depth = 1; depth < 33; depth++) value = { arrayValue: { values: [value] } };
  const attributes = [{ key: "deep", value }];
  const scopeSpans = [{ spans: [good, {}] }];
  const build = (resourceSpans: object[]): Uint8Array =>
    ExportRequest.encode(ExportRequest.fromObject({ resourceSpans })).finish();
  const kept = { resource: {}, scopeSpans: [{ spans: [good] }] };
  const resource = scanRequest(build([{ resource: { attributes }, scopeSpans }, kept]));
  assert.deepEqual([resource.spanCount, resource.rejectedSpanCount], [1, 2]);
  assert.deepEqual(read(resource.request), read(build([kept])));
  const scope = scanRequest(
    build([{ resource: {}, scopeSpans: [{ scope: { attributes }, spans: [good] }, ...kept.scopeSpans] }]),
  );
  assert.deepEqual([scope.spanCount, scope.rejectedSpanCount], [1, 1]);
  assert.equal(scope.rejection, "resourceSpans[0].scopeSpans[0].scope.attributes: a value nests deeper than 32");
  assert.deepEqual(read(scope.request), read(build([kept])));
});

test("broken framing refuses the request and names the place", () => {
  const request = encode([good, good]);
  const cut = request.subarray(0, request.length - 12);
  const cases: readonly [Uint8Array, RegExp][] = [
    [cut, /^request: malformed protobuf near byte 2: a field of \d+ bytes does not fit into the \d+ left$/],
    [new TextEncoder().encode("hello, world"), /^request: malformed protobuf near byte 1: field 13 has wire type|^request: /],
    // A request, resourceSpans, scopeSpans and span of which the span says that its name is a number.
    [
      new Uint8Array([0x0a, 6, 0x12, 4, 0x12, 2, 0x28, 1]),
      /^resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]: .* field 5 has wire type 0, expected 2$/,
    ],
    [new Uint8Array([0x0a, 6, 0x12, 4, 0x12, 2, 0x4a, 9]), /spans\[0\]: .* a field of 9 bytes does not fit into the 0 left$/],
    [new Uint8Array([0x48, 0x80]), /a number is cut off$/],
    [new Uint8Array([0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]), /a number is longer than 10 bytes$/],
    [new Uint8Array([0x0a, 0x80, 0x80, 0x80, 0x80, 0x10]), /a field of over 4 GiB bytes does not fit/],
    [new Uint8Array([0x8a, 0x00, 0x00]), /tag 10 takes 2 bytes instead of 1$/],
    [new Uint8Array([0x4b, 0x54]), /group 9 is closed as group 10$/],
    [new Uint8Array(100).fill(0x4b), /groups nest deeper than 32$/],
    [new Uint8Array([0x00, 0x00]), /field number 0$/],
    [new Uint8Array([0x4c]), /wire type 4 does not exist here$/],
  ];
  for (const [body, message] of cases) {
    assert.throws(
      () => scanRequest(body),
      (error) => {
        assert.ok(error instanceof InvalidError);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});
