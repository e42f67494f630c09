import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ExportRequest } from "@callchain/tests/bench/otlp-schema.ts";
import { encodeWithProtobufjs, exportRequest } from "@callchain/tests/native/oracle.ts";
import { encodeRequestFromJson } from "./json.ts";

const encoder = new TextEncoder();

function decode(body: unknown): unknown {
  const bytes = encodeRequestFromJson(encoder.encode(typeof body === "string" ? body : JSON.stringify(body)));
  return plain(bytes);
}

function plain(request: Uint8Array): unknown {
  return ExportRequest.toObject(ExportRequest.decode(request), { longs: String, defaults: true, arrays: true });
}

function requestOf(span: object): object {
  return { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
}

test("random requests in OTLP/JSON become what protobufjs makes of the same request", () => {
  fc.assert(
    fc.property(exportRequest, fc.boolean(), fc.boolean(), (request, isUpper, isUrlSafe) => {
      const json = JSON.stringify(request, (key, value: unknown) => {
        if (value instanceof Uint8Array) {
          const hex = Buffer.from(value).toString("hex");
          if (key !== "bytesValue") return isUpper ? hex.toUpperCase() : hex;
          return Buffer.from(value).toString(isUrlSafe ? "base64url" : "base64");
        }
        return key === "doubleValue" && !Number.isFinite(value) ? String(value) : negativeZero(value);
      }).replaceAll('"-0.0"', "-0.0");
      assert.deepEqual(decode(json), plain(new Uint8Array(encodeWithProtobufjs(request))));
    }),
    { numRuns: 400 },
  );
});

/** JSON.stringify writes -0 as 0. */
function negativeZero(value: unknown): unknown {
  return Object.is(value, -0) ? "-0.0" : value;
}

test("64-bit integers are exact as strings and as bare numbers", () => {
  const span = `{"startTimeUnixNano": 1544712660000000001, "endTimeUnixNano": "18446744073709551615",
    "attributes":[{"key":"a","value":{"intValue":-9223372036854775808}},{"key":"b","value":{"intValue":"9223372036854775807"}},
    {"key":"c","value":{"doubleValue":12345678901234567890}},{"key":"d","value":{"intValue":7}}]}`;
  const [decoded] = spansOf(decode(`{"resourceSpans":[{"scopeSpans":[{"spans":[${span}]}]}]}`));
  assert.equal(decoded?.["startTimeUnixNano"], "1544712660000000001");
  assert.equal(decoded?.["endTimeUnixNano"], "18446744073709551615");
  assert.deepEqual(JSON.parse(JSON.stringify(decoded?.["attributes"])), [
    { key: "a", value: { intValue: "-9223372036854775808" } },
    { key: "b", value: { intValue: "9223372036854775807" } },
    { key: "c", value: { doubleValue: 12_345_678_901_234_567_000 } },
    { key: "d", value: { intValue: "7" } },
  ]);
});

test("enums may be named, null is absent, unknown fields and __proto__ are ignored", () => {
  const body = `{"resourceSpans":[{"resource":null,"x":1,"scopeSpans":[{"spans":[{"kind":"SPAN_KIND_SERVER","name":null,
    "status":{"code":"STATUS_CODE_ERROR"},"__proto__":{"name":"no"},"future":{"a":[1]}}]}]}],"__proto__":{"a":1}}`;
  const [decoded] = spansOf(decode(body));
  assert.deepEqual([decoded?.["kind"], decoded?.["name"]], [2, ""]);
  assert.deepEqual(JSON.parse(JSON.stringify(decoded?.["status"])), { message: "", code: 2 });
});

test("a fault names its path, what was expected and what was given", () => {
  const place = "resourceSpans[0].scopeSpans[0].spans[0]";
  const cases: readonly [unknown, string][] = [
    [requestOf({ traceId: "xyz" }), `${place}.traceId: expected 32 hex digits, given "xyz"`],
    [requestOf({ spanId: 5 }), `${place}.spanId: expected 16 hex digits, given 5`],
    [requestOf({ name: ["a"] }), `${place}.name: expected a string, given an array`],
    [
      requestOf({ kind: "server" }),
      `${place}.kind: expected an integer or one of SPAN_KIND_UNSPECIFIED, SPAN_KIND_INTERNAL, SPAN_KIND_SERVER, SPAN_KIND_CLIENT, SPAN_KIND_PRODUCER, SPAN_KIND_CONSUMER, given "server"`,
    ],
    [
      requestOf({ startTimeUnixNano: "-1" }),
      `${place}.startTimeUnixNano: expected nanoseconds since 1970 as an integer from 0 to 2^64-1, given "-1"`,
    ],
    [
      requestOf({ startTimeUnixNano: 1.5 }),
      `${place}.startTimeUnixNano: expected nanoseconds since 1970 as an integer from 0 to 2^64-1, given 1.5`,
    ],
    [requestOf({ flags: 2 ** 32 }), `${place}.flags: expected an integer from 0 to 4294967295, given 4294967296`],
    [requestOf({ events: {} }), `${place}.events: expected an array, given an object`],
    [requestOf({ status: [] }), `${place}.status: expected an object, given an array`],
    [
      requestOf({ attributes: [{ key: "a" }, { value: { boolValue: "yes" } }] }),
      `${place}.attributes[1].value.boolValue: expected true or false, given "yes"`,
    ],
    [
      requestOf({ attributes: [{ value: { bytesValue: "*" } }] }),
      `${place}.attributes[0].value.bytesValue: expected base64, given "*"`,
    ],
    [
      requestOf({ attributes: [{ value: { intValue: "1e3" } }] }),
      `${place}.attributes[0].value.intValue: expected a 64-bit integer, given "1e3"`,
    ],
    [
      requestOf({ attributes: [{ value: { arrayValue: { values: [1] } } }] }),
      `${place}.attributes[0].value.arrayValue.values[0]: expected an object, given 1`,
    ],
    [{ resourceSpans: [7] }, "resourceSpans[0]: expected an object, given 7"],
    ["[]", "body: expected an object, given an array"],
    ["nope", "body: not valid JSON: Unexpected token 'o', \"nope\" is not valid JSON"],
  ];
  for (const [body, message] of cases) assert.throws(() => decode(body), { name: "InvalidError", message });
  assert.throws(() => encodeRequestFromJson(new Uint8Array([0x22, 0xff, 0x22])), /^InvalidError: body: expected JSON in UTF-8/);
});

test("nesting without end is refused", () => {
  const deep = `${'{"arrayValue":{"values":['.repeat(200_000)}{}${"]}}".repeat(200_000)}`;
  const attribute = `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${deep}}]}}]}`;
  assert.throws(() => decode(attribute), /^InvalidError: .*: the values nest too deep$/s);
  assert.throws(() => decode(`{"resourceSpans":${"[".repeat(500_000)}`), { name: "InvalidError" });
});

function spansOf(request: unknown): Readonly<Record<string, unknown>>[] {
  // The shape that `requestOf` gave to protobufjs.
  const { resourceSpans } = request as { resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[] };
  return resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
}
