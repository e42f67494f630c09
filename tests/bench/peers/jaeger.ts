/**
 * Jaeger v2 with its memory or its Badger storage, and, as the floor, the same program with nothing but the Collector's OTLP receiver
 * and the exporter that discards: Jaeger v2 is a build of the OpenTelemetry Collector.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { freePort } from "../../support/free-port.ts";
import { bytesAllocated } from "../proc.ts";
import { findJaeger, JAEGER_COLLECTOR_VERSION, JAEGER_VERSION } from "./jaeger-build.ts";
import { startPeer } from "./peer-process.ts";
import type { FoundSystem, StartedSystem } from "./system.ts";

type Storage = "memory" | "badger";

/** More traces than a bench sends: nothing is thrown out while it counts. */
const TRACES_MAX = 2_000_000;
const Traces = z.object({ data: z.array(z.object({ spans: z.array(z.unknown()) })).nullable() });

export function findJaegerSystem(storage: Storage): FoundSystem {
  const name = `jaeger-${storage}`;
  const found = findJaeger();
  if (found.path === undefined) return { name, missing: found.missing };
  const { path } = found;
  return {
    system: {
      name,
      version: `Jaeger ${JAEGER_VERSION}`,
      setup: storage === "memory" ? "storage in memory" : "Badger on disk, its defaults",
      format: "otlp",
      isSearchable: true,
      isPersistent: storage === "badger",
      start: (dir) => startJaeger(path, storage, dir),
    },
  };
}

export function findFloor(): FoundSystem {
  const found = findJaeger();
  if (found.path === undefined) return { name: "collector-nop", missing: found.missing };
  const { path } = found;
  return {
    system: {
      name: "collector-nop",
      version: `OpenTelemetry Collector ${JAEGER_COLLECTOR_VERSION} as built into Jaeger ${JAEGER_VERSION}`,
      setup: "OTLP receiver, nop exporter",
      format: "otlp",
      isSearchable: false,
      isPersistent: false,
      start: (dir) => startCollector(path, dir),
    },
  };
}

async function startJaeger(path: string, storage: Storage, dir: string): Promise<StartedSystem> {
  const [http, grpc, query, queryGrpc] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const keys = join(dir, "keys");
  const values = join(dir, "values");
  const backend =
    storage === "memory"
      ? { memory: { max_traces: TRACES_MAX } }
      : { badger: { directories: { keys, values }, ephemeral: false, ttl: { spans: "720h" } } };
  const config = {
    ...receiving(http, grpc, ["jaeger_storage", "jaeger_query"], "jaeger_storage_exporter", ["batch"]),
    extensions: {
      jaeger_query: {
        storage: { traces: "store" },
        http: { endpoint: `127.0.0.1:${query}` },
        grpc: { endpoint: `127.0.0.1:${queryGrpc}` },
      },
      jaeger_storage: { backends: { store: backend } },
    },
    processors: { batch: {} },
    exporters: { jaeger_storage_exporter: { trace_storage: "store" } },
  };
  const queryUrl = `http://127.0.0.1:${query}`;
  const peer = await startPeer({ command: path, args: writeConfig(dir, config), cwd: dir, readyUrl: `${queryUrl}/api/services` });
  return {
    ...peer,
    httpUrl: `http://127.0.0.1:${http}`,
    grpcUrl: `http://127.0.0.1:${grpc}`,
    queryUrl,
    countSpans: async (traceId) => {
      const response = await fetch(`${queryUrl}/api/traces/${traceId}`);
      const text = await response.text();
      if (response.status === 404) return 0;
      if (response.status !== 200) throw new Error(`${response.status} for trace ${traceId}: ${text.slice(0, 200)}`);
      return Traces.parse(JSON.parse(text)).data?.[0]?.spans.length ?? 0;
    },
    countAll: () => Promise.resolve(null),
    settle: () => Promise.resolve(),
    bytesStored: () => Promise.resolve(storage === "memory" ? null : bytesAllocated(keys) + bytesAllocated(values)),
  };
}

async function startCollector(path: string, dir: string): Promise<StartedSystem> {
  const [http, grpc] = [await freePort(), await freePort()];
  const config = { ...receiving(http, grpc, ["healthcheckv2"], "nop", []), exporters: { nop: {} } };
  const health = await freePort();
  const extensions = { healthcheckv2: { use_v2: true, http: { endpoint: `127.0.0.1:${health}` } } };
  const peer = await startPeer({
    command: path,
    args: writeConfig(dir, { ...config, extensions }),
    cwd: dir,
    readyUrl: `http://127.0.0.1:${health}/status`,
  });
  return {
    ...peer,
    httpUrl: `http://127.0.0.1:${http}`,
    grpcUrl: `http://127.0.0.1:${grpc}`,
    queryUrl: null,
    countSpans: () => Promise.resolve(0),
    countAll: () => Promise.resolve(null),
    settle: () => Promise.resolve(),
    bytesStored: () => Promise.resolve(null),
  };
}

function receiving(
  httpPort: number,
  grpcPort: number,
  extensions: readonly string[],
  exporter: string,
  processors: readonly string[],
): object {
  return {
    service: {
      extensions,
      pipelines: { traces: { receivers: ["otlp"], processors, exporters: [exporter] } },
      telemetry: { metrics: { level: "none" }, logs: { level: "error" } },
    },
    receivers: {
      otlp: {
        protocols: {
          http: { endpoint: `127.0.0.1:${httpPort}`, max_request_body_size: 67_108_864 },
          grpc: { endpoint: `127.0.0.1:${grpcPort}`, max_recv_msg_size_mib: 64 },
        },
      },
    },
  };
}

function writeConfig(dir: string, config: object): string[] {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, "jaeger.yaml");
  writeFileSync(path, stringify(config));
  return ["--config", path];
}
