/** How the all-in-one starts, refuses to start, and ends. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { Ledger } from "../fault/ledger.ts";
import { FREE_PORTS, eventually, getJson, makeTempDir, removeDir, runCli, startCallchain } from "../support/process.ts";

test("a second process on the same data directory is told which process holds it", async () => {
  const dataDir = makeTempDir();
  const first = await startCallchain(dataDir);
  try {
    const second = await runCli(["--data-dir", dataDir, ...FREE_PORTS]);
    assert.equal(second.status, 1);
    assert.match(second.stderr, new RegExp(`in use by process ${first.child.pid}\\b.*--data-dir`));
  } finally {
    assert.equal(await first.stop(), 0, first.output());
    removeDir(dataDir);
  }
});

for (const flag of ["--query-address", "--otlp-http-address", "--otlp-grpc-address", "--engine-address"]) {
  test(`a taken port is named together with ${flag}`, async () => {
    const dataDir = makeTempDir();
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const bound = holder.address();
    assert.ok(bound !== null && typeof bound === "object");
    try {
      const { status, stderr } = await runCli(["--data-dir", dataDir, ...FREE_PORTS, flag, `127.0.0.1:${bound.port}`]);
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${bound.port}.*${flag}`));
      assert.doesNotMatch(stderr, /at .*\.ts:\d+/, "a stack trace");
    } finally {
      holder.close();
      removeDir(dataDir);
    }
  });
}

test("faults of the configuration are all named at once, with what is accepted", async () => {
  const { status, stderr } = await runCli(["--otlp-http-address", "4318", "--log-max-bytes", "lots"]);
  assert.equal(status, 1);
  assert.match(stderr, /--otlp-http-address: given "4318", accepted is host:port/);
  assert.match(stderr, /--log-max-bytes: given "lots", accepted is a size/);
  const unknown = await runCli(["frobnicate"]);
  assert.match(unknown.stderr, /unknown command "frobnicate"; accepted: serve, demo/);
});

test("Ctrl-C stores what was accepted, and the next start finds it", async () => {
  const dataDir = makeTempDir();
  const ledger = new Ledger("drain");
  try {
    const first = await startCallchain(dataDir);
    const sending = new AbortController();
    const sender = ledger.sendUntil(sending.signal, () => first.otlpHttpUrl, 50);
    await new Promise((resolve) => setTimeout(resolve, 700));
    sending.abort();
    await sender;
    assert.equal(await first.stop(), 0, first.output());
    assert.ok(ledger.acceptedCount > 0);

    const second = await startCallchain(dataDir);
    await eventually(async () => {
      const answer = await getJson(`${second.queryUrl}/api/v1/services?from=0&to=now`);
      assert.ok(typeof answer === "object" && answer !== null && "services" in answer && Array.isArray(answer.services));
      const [service] = answer.services as { name: string; spanCount: number }[];
      assert.equal(service?.name, "ledger");
      assert.ok(service.spanCount >= ledger.acceptedCount, `${service.spanCount} of ${ledger.acceptedCount}`);
    });
    assert.equal(await second.stop(), 0, second.output());
  } finally {
    removeDir(dataDir);
  }
});
