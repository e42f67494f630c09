import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ExportResponse, RetryInfo, RpcStatus } from "@callchain/tests/bench/otlp-schema.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { encodeExportResponse, encodeStatus } from "./response.ts";
import { isUtf8, repairUtf8 } from "./utf8.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("full success leaves partial_success unset", () => {
  assert.equal(encodeExportResponse(null, "protobuf").length, 0);
  assert.equal(text(encodeExportResponse(null, "json")), "{}");
});

test("partial success counts and says why, in both encodings", () => {
  const rejected = { count: 300, message: "ids".repeat(100) };
  assert.deepEqual(ExportResponse.decode(encodeExportResponse(rejected, "protobuf")).toJSON(), {
    partialSuccess: { rejectedSpans: "300", errorMessage: rejected.message },
  });
  assert.deepEqual(JSON.parse(text(encodeExportResponse(rejected, "json"))), {
    partialSuccess: { rejectedSpans: "300", errorMessage: rejected.message },
  });
});

test("a status carries code, message and when to try again", () => {
  const status = { code: 14, message: "log is full", retryDelayMs: 1500 };
  const decoded = RpcStatus.decode(encodeStatus(status, "protobuf")).toJSON();
  const [detail] = decoded["details"];
  assert.deepEqual([decoded["code"], decoded["message"]], [14, "log is full"]);
  assert.equal(detail.type_url ?? detail.typeUrl, "type.googleapis.com/google.rpc.RetryInfo");
  assert.deepEqual(RetryInfo.decode(Buffer.from(detail.value, "base64")).toJSON(), {
    retryDelay: { seconds: "1", nanos: 500_000_000 },
  });
  assert.deepEqual(JSON.parse(text(encodeStatus(status, "json"))), {
    code: 14,
    message: "log is full",
    details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" }],
  });
  assert.deepEqual(JSON.parse(text(encodeStatus({ code: 3, message: "m" }, "json"))), { code: 3, message: "m" });
});

test("base64 is what Buffer makes of it, in either alphabet, and nothing else is taken", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      assert.equal(encodeBase64(bytes), buffer.toString("base64"));
      assert.deepEqual(decodeBase64(buffer.toString("base64")), bytes);
      assert.deepEqual(decodeBase64(buffer.toString("base64url")), bytes);
    }),
  );
  for (const wrong of ["A", "*", "AA==A", "AAAA=A", "é"]) assert.equal(decodeBase64(wrong), null);
});

test("UTF-8 is judged as a strict decoder does, and repaired to what it allows", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const piece = fc.oneof(
    fc.string({ unit: "binary" }).map((piece) => new TextEncoder().encode(piece)),
    fc.uint8Array({ min: 0x70, maxLength: 4 }),
    fc.constantFrom([0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xef, 0xbb, 0xbf]),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
      const bytes = Uint8Array.from(pieces.flatMap((some) => [...some]));
      let isGood = true;
      try {
        strict.decode(bytes);
      } catch {
        isGood = false;
      }
      assert.equal(isUtf8(bytes, 0, bytes.length), isGood);
      const repaired = repairUtf8(bytes);
      assert.ok(isUtf8(repaired, 0, repaired.length));
      if (isGood) assert.deepEqual(repaired, bytes);
    }),
    { numRuns: 2000 },
  );
});
