/**
 * Traces of a small shop in which one thing is slow: one host, one release, one tenant, or one statement. Everything else - other hosts,
 * releases, tenants, ids that never repeat, sizes - is drawn at random and has nothing to do with it.
 *
 *   web GET /list (server)
 *     api GET /items (server, on a host, of a release, for a tenant)
 *       SELECT ... WHERE id = n (client)   one by one, 8 times: an N+1
 *       GET (client)                       6 times at once
 *       SELECT ... (client)                one of four statements
 */
import { Random } from "@callchain/deploy/demo/random.ts";
import type { SpanSeed } from "./span-rows.ts";

export const CAUSES = ["host", "release", "tenant", "statement"] as const;
export type Cause = (typeof CAUSES)[number];

export const MS = 1_000_000n;
const HOSTS = ["h1", "h2", "h3", "h4", "h5"] as const;
const RELEASES = ["1.0.0", "1.1.0", "2.0.0"] as const;
const TENANTS = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"] as const;
const STATEMENTS = ["SELECT * FROM stock", "SELECT * FROM prices", "SELECT * FROM audit", "SELECT * FROM users"] as const;

/** What is slow in each of the four, as the API names it. */
export interface Planted {
  readonly field: string;
  readonly value: string;
}

export interface PlantedTraces {
  readonly seeds: readonly SpanSeed[];
  readonly planted: Planted;
}

/** Milliseconds that the cause adds. */
const SLOW_MS = 600;

export function buildPlantedTraces(cause: Cause, seed: number, startNano: bigint, traceCount: number): PlantedTraces {
  const random = new Random(seed);
  const value = {
    host: random.pick(HOSTS),
    release: random.pick(RELEASES),
    tenant: random.pick(TENANTS),
    statement: random.pick(STATEMENTS),
  }[cause];
  const field = {
    host: "resource.host.name",
    release: "resource.service.version",
    tenant: "span.tenant.id",
    statement: "span.db.query.text",
  }[cause];
  const seeds = Array.from({ length: traceCount }, (_, number) =>
    buildTrace(random, `${cause[0]}${number}`, startNano + BigInt(number) * 500n * MS, cause, value),
  );
  return { seeds: seeds.flat(), planted: { field, value } };
}

function buildTrace(random: Random, trace: string, startNano: bigint, cause: Cause, slow: string): SpanSeed[] {
  const drawn = {
    host: random.pick(HOSTS),
    release: random.pick(RELEASES),
    tenant: random.pick(TENANTS),
    statement: random.pick(STATEMENTS),
  };
  const isSlow = drawn[cause] === slow && random.chance(0.9);
  const resource = { "host.name": drawn.host, "service.version": drawn.release, "process.pid": random.integer(1, 9) };
  const api = { trace, service: "api", resource };
  const ids = (): Record<string, string> => ({ "request.id": random.hex(16), "user.id": `u-${random.integer(1, 400)}` });
  const ms = (median: number): bigint => BigInt(Math.round(random.latency(median) * 1000)) * 1000n;
  const spans: SpanSeed[] = [];
  let now = startNano + 2n * MS;
  const call = (id: string, name: string, durationNano: bigint, text: Record<string, string>): void => {
    spans.push({
      ...api,
      id,
      parent: "api",
      name,
      kind: "client",
      startNano: now,
      durationNano,
      text: { ...text, ...ids() },
    });
  };
  for (let item = 0; item < 8; item += 1) {
    const duration = ms(1);
    call(`item${item}`, "SELECT items", duration, {
      "db.query.text": `SELECT * FROM items WHERE id = ${random.integer(1, 9999)}`,
    });
    now += duration;
  }
  for (let key = 0; key < 6; key += 1) call(`key${key}`, "GET", ms(1), { "db.system.name": "redis" });
  now += 4n * MS;
  const query = ms(6) + (isSlow && cause === "statement" ? BigInt(SLOW_MS) * MS : 0n);
  call("query", "SELECT", query, { "db.query.text": drawn.statement });
  now += query + (isSlow && cause !== "statement" ? BigInt(SLOW_MS) * MS : 0n);
  const apiSpan: SpanSeed = {
    ...api,
    id: "api",
    parent: "web",
    name: "GET /items",
    kind: "server",
    startNano: startNano + MS,
    durationNano: now - startNano,
    text: { "tenant.id": drawn.tenant, ...ids() },
    ints: { "items.size": random.integer(1, 5000) },
  };
  const web: SpanSeed = {
    trace,
    id: "web",
    service: "web",
    name: "GET /list",
    kind: "server",
    startNano,
    durationNano: now - startNano + 3n * MS,
    resource: { "host.name": "edge", "service.version": "7" },
    text: ids(),
  };
  return [web, apiSpan, ...spans];
}
