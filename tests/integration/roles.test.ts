/** The distributed mode: roles as separate processes between a real Kafka broker and the engine's process. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { openKafkaAppender } from "@callchain/collector/log/kafka/kafka-appender.ts";
import type { KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import { TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { Ledger, NO_FAULTS, encodeSpans } from "../fault/ledger.ts";
import { kafkaMissing, startKafkaBroker, type KafkaBroker } from "../support/kafka-broker.ts";
import { startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";
import { ROOT, eventually, getJson, runCli } from "../support/process.ts";
import { environmentOf, startRoleProcess, type RoleEnvironment, type RoleProcess } from "../support/roles.ts";

const logger = openLog("test", "silent");

describe("roles as processes", { skip: kafkaMissing() }, () => {
  const running: RoleProcess[] = [];
  let broker: KafkaBroker;
  let engine: TestClickHouse;

  before(async () => {
    broker = await startKafkaBroker();
    engine = await startClickHouse();
  });
  afterEach(async () => {
    for (const role of running.splice(0)) await role.stop();
  });
  after(async () => {
    await engine.stop();
    await broker.stop();
  });

  function start(role: "receive" | "write" | "query", environment: RoleEnvironment): RoleProcess {
    const started = startRoleProcess(role, environment);
    running.push(started);
    return started;
  }

  /** What every role of one deployment is told. */
  function deployment(name: string): RoleEnvironment {
    return environmentOf({
      kafkaBrokers: broker.address,
      kafkaTopic: name,
      kafkaDeadLetterTopic: `${name}_dead`,
      kafkaGroup: name,
      kafkaSessionMs: 3000,
      ...engine.settings,
      clickhouseDatabase: engine.nameOf(name),
    });
  }

  async function migrate(environment: RoleEnvironment, ...flags: string[]): Promise<string> {
    const { status, stdout, stderr } = await runCli(["migrate", "--topic-partitions", "3", ...flags], environment);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  async function countSpans(query: RoleProcess): Promise<number> {
    const url = await query.find(/Open\s+(http\S+)/);
    const answer = (await getJson(`${url}/api/v1/services?from=0&to=now`)) as { services: { spanCount: number }[] };
    return answer.services.reduce((sum, { spanCount }) => sum + spanCount, 0);
  }

  test("an SDK's trace goes through receive, Kafka, write and ClickHouse to query, and Ctrl-C loses nothing", async () => {
    const environment = deployment("line");
    assert.match(await migrate(environment), /topic line was made, 3 partitions\n-- topic line_dead was made, 1 partition\n/);
    assert.match(
      await migrate(environment),
      /nothing: the schema is as this release needs it[^]*topic line exists, 3 partitions/,
    );
    const [receive, write, query] = [start("receive", environment), start("write", environment), start("query", environment)];
    const endpoint = await receive.find(/OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)\s+\(http/);
    const queryUrl = await query.find(/Open\s+(http\S+)/);
    await write.find(/write is ready/);

    const { stdout: traceId } = await promisify(execFile)(
      process.execPath,
      [join(ROOT, "tests/support/sdk-app.ts"), "http/protobuf"],
      { env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } },
    );
    const tree = TraceTreeAnswer.parse(await eventually(() => getJson(`${queryUrl}/api/v1/traces/${traceId}?view=tree`)));
    assert.deepEqual(
      tree.spans.map(({ name, depth }) => ({ name, depth })),
      [
        { name: "GET /orders", depth: 0 },
        { name: "SELECT orders", depth: 1 },
      ],
    );
    for (const role of [receive, write, query]) {
      for (const path of ["/health", "/ready", "/metrics"] as const) assert.equal(await role.status(path), 200, role.output());
    }

    const ledger = new Ledger();
    const sending = new AbortController();
    const sender = ledger.sendUntil(sending.signal, () => endpoint, 40);
    await eventually(() => Promise.resolve(assert.ok(ledger.acceptedCount > 4000)));
    assert.equal(await receive.stop(), 0, receive.output());
    sending.abort();
    await sender;
    assert.equal(await write.stop(), 0, write.output());
    const second = start("write", environment);
    await second.find(/write is ready/);
    await eventually(async () => assert.deepEqual(await ledger.compare(engine.urlOf("line")), NO_FAULTS));
  });

  test("write and query alone show what another collector put into the topic before they were there", async () => {
    const environment = deployment("theirs");
    await migrate(environment);
    const config: KafkaConfig = broker.config({ "kafka-topic": "theirs" });
    const appender = await openKafkaAppender({ config, logger, metrics: new Registry() });
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    for (let request = 0; request < 20; request += 1) await appender.append(encodeSpans(`run ${request}`, numbers));
    await appender.stop();
    start("write", environment);
    const query = start("query", environment);
    await eventually(async () => assert.equal(await countSpans(query), 1000));
  });

  test("roles started before everything they need wait, say for what, and then work", async () => {
    const environment = deployment("late");
    const [receive, write, query] = [start("receive", environment), start("write", environment), start("query", environment)];
    await receive.find(/has no topic late: run callchain migrate.*waiting for the topic late/);
    await write.find(/lacks schema migrations.*run callchain migrate.*waiting for ClickHouse/);
    for (const role of [receive, write, query]) {
      assert.equal(await role.status("/health"), 200);
      assert.equal(await role.status("/ready"), 503);
    }
    await migrate(environment);
    await receive.find(/receive is ready/);
    await write.find(/write is ready/);
    for (const role of [receive, write, query]) {
      await eventually(async () => assert.equal(await role.status("/ready"), 200));
    }
  });

  test("with Kafka away receive listens and refuses, write waits, and both come back with it", async () => {
    const environment = deployment("outage");
    await migrate(environment);
    await broker.kill();
    try {
      const [receive, write] = [start("receive", environment), start("write", environment)];
      const endpoint = await receive.find(/OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)\s+\(http/);
      await write.find(/waiting for Kafka/);
      const body = encodeSpans("outage", [1, 2, 3]);
      const send = (): Promise<Response> =>
        fetch(`${endpoint}/v1/traces`, { method: "POST", headers: { "content-type": "application/x-protobuf" }, body });
      const refused = await send();
      assert.equal(refused.status, 503);
      assert.ok(refused.headers.has("retry-after"));
      for (const role of [receive, write]) assert.equal(await role.status("/ready"), 503);
      await broker.start();
      await write.find(/Kafka is there/);
      for (const role of [receive, write]) {
        await eventually(async () => assert.equal(await role.status("/ready"), 200));
      }
      await eventually(async () => assert.equal((await send()).status, 200));
      const query = start("query", environment);
      // A produce whose answer was lost may have been written: the sender sent it again, so there may be copies, never fewer.
      await eventually(async () => assert.ok((await countSpans(query)) >= 3));
    } finally {
      await broker.start().catch(() => undefined);
    }
  });

  test("Ctrl-C ends a role that still waits", async () => {
    const write = start("write", deployment("never"));
    await write.find(/waiting for ClickHouse/);
    assert.equal(await write.stop(), 0, write.output());
  });
});

test("no role listens beyond loopback unless it is told so in words", async () => {
  const open = { receive: "statusAddress", write: "statusAddress", query: "queryAddress", serve: "queryAddress" };
  for (const [role, key] of Object.entries(open)) {
    const { status, stderr } = await runCli([role], environmentOf({ [key]: "0.0.0.0:0" }));
    assert.equal(status, 1, role);
    assert.match(stderr, /address: given 0\.0\.0\.0:0, accepted is a loopback address.*--insecure-listen/);
  }
  const query = startRoleProcess("query", environmentOf({ queryAddress: "0.0.0.0:0", insecureListen: "true" }));
  await query.find(/Open\s+http:\/\/0\.0\.0\.0:\d+/);
  assert.equal(await query.stop(), 0, query.output());
});

test("faults of a role's settings are named by key, with what was given and what is accepted; a password never", async () => {
  const given = {
    clickhouseUrl: "http://user:hunter2@host:8123",
    clickhouseDatabase: "1st",
    clickhousePassword: "hunter2",
    logLevel: "loud",
  };
  const { status, stderr } = await runCli(["write"], environmentOf(given));
  assert.equal(status, 1);
  assert.match(stderr, /CALLCHAIN_CLICKHOUSE_URL: given .*accepted is http:\/\/host:port or https:\/\/host:port, without user/);
  assert.match(stderr, /CALLCHAIN_CLICKHOUSE_DATABASE: given "1st", accepted is letters/);
  assert.match(stderr, /CALLCHAIN_LOG_LEVEL: given "loud", accepted is one of debug, info/);
  const file = await runCli(["query"], environmentOf({ clickhouseCaFile: "/nowhere/ca.pem" }));
  assert.match(file.stderr, /--clickhouse-ca-file: cannot read \/nowhere\/ca\.pem/);
});

test("help lists every command, and one command's settings alone where it is named", async () => {
  const all = await runCli(["--help"]);
  for (const name of ["serve", "receive", "write", "query", "migrate", "demo"])
    assert.match(all.stdout, new RegExp(`^callchain ${name}: `, "m"));
  const one = await runCli(["write", "--help"]);
  assert.match(one.stdout, /^callchain write: /m);
  assert.match(one.stdout, /--clickhouse-url\s+CALLCHAIN_CLICKHOUSE_URL/);
  assert.doesNotMatch(one.stdout, /callchain receive: /);
});
