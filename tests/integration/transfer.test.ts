/** Export and import between running all-in-ones: what comes out goes in again, and comes out the same. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { Problem } from "@callchain/schemas/api/common.ts";
import { ImportLine } from "@callchain/schemas/api/transfer.ts";
import { encodeTraces } from "@callchain/schemas/otlp/export.ts";
import type { AttributeValue, Span } from "@callchain/schemas/span/span.ts";
import { unixNano, unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { askRaw } from "../support/http.ts";
import { makeTempDir, removeDir, startCallchain, until, type CallchainProcess } from "../support/process.ts";
import { startQueryStack } from "../support/query-stack.ts";
import { attributes, bool, buildSpan, double, int, spanIdOf, text, traceIdOf } from "../support/store-spans.ts";

const dirs = [makeTempDir(), makeTempDir()] as const;
let source: CallchainProcess;
let target: CallchainProcess;
before(async () => {
  [source, target] = await Promise.all([startCallchain(dirs[0]), startCallchain(dirs[1])]);
});
after(async () => {
  await Promise.all([source.stop(), target.stop()]);
  dirs.forEach(removeDir);
});

const bytes: AttributeValue = { type: "bytes", value: Uint8Array.of(0, 1, 254, 255) };
const EVERY_TYPE = attributes({
  text: text('quotes " \\ \n 日本語 🙂 ]}'),
  empty: text(""),
  int: int(9_223_372_036_854_775_807n),
  negative: int(-9_223_372_036_854_775_808n),
  double: double(0.1),
  whole: double(5),
  infinite: double(-Infinity),
  nan: double(Number.NaN),
  yes: bool(true),
  bytes,
  nothing: { type: "empty" },
  list: { type: "array", value: [text("a"), int(1n), double(1.5), bool(false), bytes, { type: "empty" }] },
  map: {
    type: "map",
    value: attributes({ inner: { type: "map", value: attributes({ deep: int(7n) }) }, list: { type: "array", value: [] } }),
  },
});
const startNano = unixNanoFromMs(Date.now() - 60_000);

/** A trace of everything there is, one of many spans, and small ones. */
function buildCorpus(): Span[] {
  const whole = buildSpan({
    traceId: traceIdOf(1),
    startNano,
    durationNano: 123_456_789n,
    kind: "consumer",
    status: { code: "error", message: "it broke" },
    traceState: "vendor=value",
    flags: 0x101,
    attributes: EVERY_TYPE,
    droppedAttributesCount: 3,
    droppedEventsCount: 2,
    droppedLinksCount: 1,
    resource: {
      attributes: attributes({ "service.name": text("shop"), "process.pid": int(42n) }),
      droppedAttributesCount: 1,
      schemaUrl: "https://schema/1",
    },
    scope: {
      name: "lib",
      version: "2",
      attributes: attributes({ scoped: bool(true) }),
      droppedAttributesCount: 4,
      schemaUrl: "https://schema/2",
    },
    events: [
      { timeNano: unixNano(startNano + 1n), name: "exception", attributes: EVERY_TYPE, droppedAttributesCount: 5 },
      { timeNano: unixNano(startNano + 2n), name: "", attributes: [], droppedAttributesCount: 0 },
    ],
    links: [
      {
        traceId: traceIdOf(77),
        spanId: spanIdOf(78),
        traceState: "a=b",
        flags: 1,
        attributes: EVERY_TYPE,
        droppedAttributesCount: 6,
      },
    ],
  });
  const child = buildSpan({
    traceId: traceIdOf(1),
    spanId: spanIdOf(2),
    parentSpanId: spanIdOf(1),
    startNano,
    kind: "client",
    service: "cart",
  });
  const many = Array.from({ length: 2_500 }, (_, at) =>
    buildSpan({
      traceId: traceIdOf(2),
      spanId: spanIdOf(at + 1),
      startNano: unixNano(startNano + BigInt(at)),
      parentSpanId: at === 0 ? null : spanIdOf(1),
    }),
  );
  const small = Array.from({ length: 250 }, (_, at) =>
    buildSpan({ traceId: traceIdOf(at + 1_000), startNano: unixNano(startNano - BigInt(at) * 1_000n), name: `n${at % 3}` }),
  );
  return [whole, child, ...many, ...small];
}

async function exportFrom(from: CallchainProcess, params = "from=now-1h&limit=1000"): Promise<string[]> {
  const response = await fetch(`${from.queryUrl}/api/v1/export?${params}`);
  const body = await response.text();
  assert.equal(response.status, 200, body);
  assert.match(response.headers.get("content-type") ?? "", /^application\/x-ndjson/);
  return body.split("\n").filter((line) => line !== "");
}

async function importInto(
  into: CallchainProcess,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<ImportLine[]> {
  const response = await fetch(`${into.queryUrl}/api/v1/import`, { method: "POST", body: Buffer.from(body), headers });
  const answer = await response.text();
  assert.equal(response.status, 200, answer);
  return answer
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ImportLine.parse(JSON.parse(line)));
}

const request = (...spans: object[]): string => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
const spanJson = (traceId: string): object => ({
  traceId,
  spanId: "00000000000000aa",
  name: "x",
  startTimeUnixNano: String(startNano),
  endTimeUnixNano: String(startNano),
});

describe("export and import", () => {
  it("give a fresh instance the same traces: its export is the same, byte for byte", async () => {
    const corpus = buildCorpus();
    const response = await fetch(`${source.otlpHttpUrl}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/x-protobuf" },
      body: Buffer.from(encodeTraces(corpus)),
    });
    assert.equal(response.status, 200);
    let exported: string[] = [];
    await until("all traces are stored", async () => (exported = await exportFrom(source)).length === 253);
    const lines = await importInto(target, gzipSync(exported.join("\n")));
    const done = lines.at(-1);
    assert.ok(done?.type === "done", JSON.stringify(done));
    assert.deepEqual([done.acceptedSpanCount, done.rejectedSpanCount, done.refusedCount], [corpus.length, 0, 0]);
    let again: string[] = [];
    await until("all traces are stored again", async () => (again = await exportFrom(target)).length === exported.length);
    const differing = exported.findIndex((line, at) => line !== again[at]);
    assert.equal(
      differing,
      -1,
      `line ${differing}:\n${exported[differing]?.slice(0, 3_000)}\n${again[differing]?.slice(0, 3_000)}`,
    );
    const whole = exported.find((line) => line.includes("it broke")) ?? "";
    for (const part of [
      '"bytesValue":"AAH+/w=="',
      '"doubleValue":"NaN"',
      '"intValue":"-9223372036854775808"',
      '"schemaUrl":"https://schema/2"',
    ]) {
      assert.ok(whole.includes(part), `${part} in ${whole.slice(0, 3_000)}`);
    }
  });

  it("export what a query finds, whole traces of it, and say where there is more", async () => {
    const found = await exportFrom(source, `from=now-1h&q=${encodeURIComponent('{ resource.service.name = "cart" }')}`);
    assert.equal(found.length, 1);
    assert.match(found[0] ?? "", /it broke/);
    const cut = await exportFrom(source, "from=now-1h&limit=201&name=n1");
    assert.equal(cut.length, 83);
    const few = await exportFrom(source, "from=now-1h&limit=5");
    assert.deepEqual(JSON.parse(few.at(-1) ?? ""), {
      resourceSpans: [],
      callchain: { cut: "These are the newest 5 traces; there are more: raise limit or narrow the time range." },
    });
    const compressed = await fetch(`${source.queryUrl}/api/v1/export?from=now-1h&limit=5`, {
      headers: { "accept-encoding": "gzip" },
    });
    assert.equal(compressed.headers.get("content-encoding"), "gzip");
    assert.equal((await compressed.text()).split("\n").filter((line) => line.includes('"callchain"')).length, 1);
  });

  it("take pretty-printed documents as well, and pass over what a cut export says of itself", async () => {
    const pretty = JSON.stringify(JSON.parse(request(spanJson("f1".repeat(16)))), null, 2);
    const lines = await importInto(target, `\uFEFF${pretty}\n{"resourceSpans":[],"callchain":{"cut":"more"}}\n`);
    assert.equal(lines.length, 1);
    assert.ok(lines[0]?.type === "done" && lines[0].acceptedSpanCount === 1, JSON.stringify(lines));
  });

  it("tell what was left out, where it stands and why, and take the rest", async () => {
    const body = [
      request(spanJson("f2".repeat(16)), spanJson("abcd")),
      request(spanJson("f3".repeat(16)), { ...spanJson("f4".repeat(16)), startTimeUnixNano: "noon" }),
      request(spanJson("f5".repeat(16))),
    ].join("\n");
    const lines = await importInto(target, body);
    const done = lines.at(-1);
    assert.ok(done?.type === "done");
    assert.deepEqual([done.acceptedSpanCount, done.rejectedSpanCount + done.refusedCount, done.readBytes], [2, 2, body.length]);
    const rejected = lines.filter((line) => line.type === "rejected");
    assert.deepEqual(
      rejected.map(({ line, lastLine, spanCount }) => [line, lastLine, spanCount]),
      [
        [1, 1, 1],
        [2, 2, null],
      ],
    );
    assert.match(rejected[1]?.reason ?? "", /startTimeUnixNano: expected .*"noon"/);
  });

  it("refuse at once what is no OTLP/JSON, and say how far they came where it stops being it", async () => {
    const refused: readonly (readonly [string | Uint8Array, Readonly<Record<string, string>>, RegExp])[] = [
      ["<html>", {}, /line 1: given \\"<\\"/],
      ['{"data":[],"total":0}', {}, /given an object with \\"data\\", \\"total\\"; accepted is OTLP\/JSON/],
      [request(spanJson("f6".repeat(16))).slice(0, -9), {}, /cut off/],
      ["{}", { "content-encoding": "br" }, /given \\"br\\", accepted is gzip/],
      ["{}", { "content-encoding": "gzip" }, /the body is not gzip/],
      [gzipSync(request(spanJson("f6".repeat(16)))).subarray(0, -12), {}, /the gzip data is damaged/],
    ];
    for (const [body, headers, reason] of refused) {
      const response = await fetch(`${target.queryUrl}/api/v1/import`, { method: "POST", body: Buffer.from(body), headers });
      const answer = await response.text();
      assert.equal(response.status, 400, answer);
      assert.match(answer, reason);
      Problem.parse(JSON.parse(answer));
    }
    const many = Array.from({ length: 4_000 }, (_, at) => request(spanJson((at + 1_000_000).toString().padStart(32, "0"))));
    const last = (await importInto(target, [...many, "oops"].join("\n"))).at(-1);
    assert.ok(last?.type === "failed");
    assert.ok(last.acceptedSpanCount > 0);
    assert.match(last.problem.detail, /line 4001: given "o"/);
  });

  it("take a file as it is made, line by line, and tell how far they are meanwhile", async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `${request(spanJson((at + 2_000_000).toString().padStart(32, "0")))}\n`);
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (const line of lines) {
        yield Buffer.from(line);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    const response = await fetch(`${target.queryUrl}/api/v1/import`, {
      method: "POST",
      body: Readable.from(slowly()),
      duplex: "half",
    });
    const told = (await response.text())
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => ImportLine.parse(JSON.parse(line)));
    assert.ok(told.some(({ type }) => type === "progress"));
    const done = told.at(-1);
    assert.ok(done?.type === "done" && done.acceptedSpanCount === 30);
  });

  it("are refused by methods they do not have, by other sites, and by a process without receivers", async () => {
    const url = `${target.queryUrl}/api/v1/import`;
    assert.equal((await askRaw(target.queryUrl, "/api/v1/import")).status, 405);
    const foreign = await fetch(url, { method: "POST", body: "{}", headers: { origin: "http://evil.example" } });
    assert.equal(foreign.status, 403);
    const stack = await startQueryStack();
    try {
      const response = await fetch(`${stack.url}/api/v1/import`, { method: "POST", body: "{}" });
      assert.equal(response.status, 404);
      assert.match(Problem.parse(await response.json()).detail, /no receivers.*\/v1\/traces of a receive role/);
    } finally {
      await stack.stop();
    }
  });
});
