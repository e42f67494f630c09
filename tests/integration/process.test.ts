/** How the all-in-one starts, refuses to start, and ends. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { Ledger, NO_FAULTS } from "../fault/ledger.ts";
import { FREE_PORTS, eventually, makeTempDir, removeDir, runCli, startCallchain, until } from "../support/process.ts";

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
  assert.match(unknown.stderr, /unknown command "frobnicate"; accepted: serve, receive, write, query, migrate, demo/);
});

test("Ctrl-C under load stores what was accepted, and the next start finds it once", async () => {
  const dataDir = makeTempDir();
  const ledger = new Ledger();
  try {
    const first = await startCallchain(dataDir);
    const sending = new AbortController();
    const senders = Array.from({ length: 2 }, () => ledger.sendUntil(sending.signal, () => first.otlpHttpUrl, 50));
    await until("2000 spans are accepted", () => ledger.acceptedCount >= 2000);
    assert.equal(await first.stop(), 0, first.output());
    sending.abort();
    await Promise.all(senders);

    const second = await startCallchain(dataDir);
    await eventually(async () => assert.deepEqual(await ledger.compare(second.engineUrl), NO_FAULTS));
    assert.equal(await second.stop(), 0, second.output());
  } finally {
    removeDir(dataDir);
  }
});
