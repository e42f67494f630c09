/** Zipkin with its storage in memory, the one its release starts with. */
import { z } from "zod";
import { freePort } from "../../support/free-port.ts";
import { startPeer } from "./peer-process.ts";
import type { FoundSystem, StartedSystem } from "./system.ts";
import { findZipkin, ZIPKIN_VERSION } from "./zipkin-jar.ts";

/** More than a bench sends: nothing is thrown out while it counts. Its default is 500,000. */
const SPANS_MAX = 5_000_000;
const HEAP = "8g";
const Spans = z.array(z.unknown());

export function findZipkinSystem(): FoundSystem {
  const found = findZipkin();
  if (found.path === undefined) return { name: "zipkin-memory", missing: found.missing };
  const { path } = found;
  return {
    system: {
      name: "zipkin-memory",
      version: `Zipkin ${ZIPKIN_VERSION}`,
      setup: `storage in memory, heap of at most ${HEAP}; takes no OTLP, so the same spans are sent as Zipkin v2 JSON`,
      format: "zipkin",
      isSearchable: true,
      isPersistent: false,
      start: (dir) => startZipkin(path, dir),
    },
  };
}

async function startZipkin(jar: string, dir: string): Promise<StartedSystem> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const port = new URL(url).port;
  const listen = [
    `-Darmeria.ports[0].address=127.0.0.1`,
    `-Darmeria.ports[0].port=${port}`,
    "-Darmeria.ports[0].protocols[0]=http",
  ];
  const peer = await startPeer({
    command: "java",
    args: [`-Xmx${HEAP}`, ...listen, "-jar", jar],
    environment: { STORAGE_TYPE: "mem", MEM_MAX_SPANS: String(SPANS_MAX), QUERY_PORT: port, JAVA_OPTS: "" },
    cwd: dir,
    readyUrl: `${url}/health`,
  });
  return {
    ...peer,
    httpUrl: url,
    grpcUrl: null,
    queryUrl: url,
    countSpans: async (traceId) => {
      const response = await fetch(`${url}/api/v2/trace/${traceId}`);
      const text = await response.text();
      if (response.status === 404) return 0;
      if (response.status !== 200) throw new Error(`${response.status} for trace ${traceId}: ${text.slice(0, 200)}`);
      return Spans.parse(JSON.parse(text)).length;
    },
    countAll: () => Promise.resolve(null),
    settle: () => Promise.resolve(),
    bytesStored: () => Promise.resolve(null),
  };
}
