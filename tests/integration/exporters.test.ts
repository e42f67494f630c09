/** Unmodified OpenTelemetry SDKs in processes of their own, against the running all-in-one. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { SpanDetail, TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { ROOT, eventually, getJson, makeTempDir, removeDir, startCallchain } from "../support/process.ts";
import type { CallchainProcess } from "../support/process.ts";

const dataDir = makeTempDir();
let callchain: CallchainProcess;
before(async () => {
  callchain = await startCallchain(dataDir);
});
after(async () => {
  await callchain.stop();
  removeDir(dataDir);
});

const cases = [
  { protocol: "grpc", compression: "none" },
  { protocol: "grpc", compression: "gzip" },
  { protocol: "http/protobuf", compression: "none" },
  { protocol: "http/protobuf", compression: "gzip" },
  { protocol: "http/json", compression: "none" },
  { protocol: "http/json", compression: "gzip" },
] as const;

for (const { protocol, compression } of cases) {
  test(`an SDK that exports ${protocol} with compression ${compression} finds its call tree`, async () => {
    const endpoint = protocol === "grpc" ? callchain.otlpGrpcUrl : callchain.otlpHttpUrl;
    const { stdout: traceId, stderr } = await promisify(execFile)(
      process.execPath,
      [join(ROOT, "tests/support/sdk-app.ts"), protocol],
      {
        env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_COMPRESSION: compression },
      },
    );
    assert.match(traceId, /^[0-9a-f]{32}$/, stderr);
    const url = `${callchain.queryUrl}/api/v1/traces/${traceId}`;
    const tree = TraceTreeAnswer.parse(await eventually(() => getJson(`${url}?view=tree`)));
    assert.deepEqual(
      tree.spans.map(({ depth, service, name, kind, status }) => ({ depth, service, name, kind, status })),
      [
        { depth: 0, service: `sdk-${protocol.replace("/", "-")}`, name: "GET /orders", kind: "server", status: "unset" },
        { depth: 1, service: `sdk-${protocol.replace("/", "-")}`, name: "SELECT orders", kind: "client", status: "error" },
      ],
    );
    assert.ok(tree.completeness.complete);
    const detail = async (index: number): Promise<SpanDetail> =>
      SpanDetail.parse(await getJson(`${url}/spans/${tree.spans[index]?.spanId}`));
    const valueOf = (span: SpanDetail, key: string): unknown => span.attributes.find((attribute) => attribute.key === key)?.value;
    const root = await detail(0);
    assert.deepEqual(valueOf(root, "items"), { intValue: "3" });
    assert.deepEqual(valueOf(root, "ratio"), { doubleValue: 0.5 });
    assert.deepEqual(valueOf(root, "tags"), { arrayValue: { values: [{ stringValue: "a" }, { stringValue: "b" }] } });
    const query = await detail(1);
    assert.deepEqual(valueOf(query, "cached"), { boolValue: false });
    assert.equal(query.status.message, "deadlock detected");
    assert.equal(query.events[0]?.name, "exception");
    assert.equal(query.scope.name, "sdk-app");
    assert.ok(query.resource.attributes.some(({ key, value }) => key === "service.version" && value.stringValue === "1.2.3"));
  });
}
