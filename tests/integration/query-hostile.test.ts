import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { routes } from "@callchain/query-api/routes/table.ts";
import { Problem } from "@callchain/schemas/api/common.ts";
import { PAYLOADS } from "../support/hostile-payloads.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { attributes, buildSpan, storeSpans, text, traceIdOf } from "../support/store-spans.ts";

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await storeSpans(stack.writer, [buildSpan({ attributes: attributes({ secret: text("canary-7f3a") }) })]);
});
after(() => stack.stop());

interface Attempt {
  readonly path: string;
  readonly parameter: string;
  readonly payload: string;
}

/** Every payload goes to what is parsed or bound as text, once; other parameters, and the same on further routes, get a sample. */
const FULL: ReadonlySet<string> = new Set([
  "/traces q",
  "/traces attribute",
  "/traces cursor",
  "/traces from",
  "/traces minDuration",
  "/traces/{id} id",
  "/outliers selection",
  "/diff a",
]);

function* listAttempts(): Generator<Attempt> {
  for (const route of routes) {
    for (const [parameter, { place }] of Object.entries(route.params)) {
      const payloads = FULL.has(`${route.path} ${parameter}`) ? PAYLOADS : PAYLOADS.filter((_, at) => at % 20 === 0);
      for (const payload of payloads) {
        const filled = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
          place === "path" && name === parameter
            ? encodeURIComponent(payload.toWellFormed())
            : name === "spanId"
              ? "00000000000000aa"
              : traceIdOf(1),
        );
        const others = Object.entries(route.params).filter(
          ([name, param]) => param.isRequired && param.place === "query" && name !== parameter,
        );
        const given: [string, string][] = place === "path" ? [] : [[parameter, payload]];
        const query = `?${new URLSearchParams([...given, ...others.map(([name]): [string, string] => [name, "{ }"])]).toString()}`;
        yield { path: filled + query, parameter, payload };
      }
    }
  }
}

async function attempt({ path, parameter, payload }: Attempt): Promise<void> {
  const response = await fetch(`${stack.url}/api/v1${path}`);
  // Accepted as a stream without an end: the hostile part is over.
  if (response.headers.get("content-type")?.startsWith("text/event-stream") === true) return response.body?.cancel();
  const body = await response.text();
  const given = `${path.slice(0, 80)} ${parameter}=${JSON.stringify(payload.slice(0, 60))}`;
  assert.ok(response.status < 500, `${response.status} for ${given}: ${body.slice(0, 300)}`);
  if (response.status < 400) return;
  assert.equal(response.headers.get("content-type"), "application/problem+json; charset=utf-8", given);
  const problem = Problem.parse(JSON.parse(body));
  if (response.status !== 400 || problem.errors === undefined) return;
  // A path that is no path names no parameter.
  const fault = problem.errors.find((one) => one.parameter === parameter);
  assert.ok(fault !== undefined, `${given}: ${body.slice(0, 300)}`);
  assert.ok(fault.accepted.length > 10, given);
}

describe("hostile parameters", () => {
  it("are answered or refused with a problem, never with a 5xx, on every route", async (t) => {
    const attempts = listAttempts();
    let count = 0;
    const work = async (): Promise<void> => {
      for (const next of attempts) {
        await attempt(next);
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: 4 }, work));
    t.diagnostic(`${count} requests`);
    assert.ok(PAYLOADS.length >= 500);
  });

  it("leave the spans where they are", async () => {
    const { status, body } = await stack.ask(`/traces/${traceIdOf(1)}`);
    assert.equal(status, 200);
    assert.match(JSON.stringify(body), /canary-7f3a/);
  });

  it("are named when they are unknown or repeated", async () => {
    const unknown = await fetch(`${stack.url}/api/v1/traces?__proto__=x`);
    assert.equal(unknown.status, 400);
    assert.match(await unknown.text(), /one of the parameters q, service/);
    const repeated = await fetch(`${stack.url}/api/v1/traces?limit=1&limit=2`);
    assert.match(await repeated.text(), /"parameter":"limit","given":"1, 2"/);
  });
});

interface RawReply {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function askRaw(path: string, headers: Readonly<Record<string, string>>, method = "GET"): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const sent = request(`${stack.url}${path}`, { headers, method }, (reply) => {
      reply.resume();
      reply.once("end", () => resolve({ status: reply.statusCode, headers: reply.headers }));
    });
    sent.once("error", reject);
    sent.end();
  });
}

describe("other sites", () => {
  it("are refused by Host and Origin, while loopback names and addresses pass", async () => {
    const { host } = new URL(stack.url);
    const expectations: readonly (readonly [Readonly<Record<string, string>>, number])[] = [
      [{ host: "evil.example" }, 421],
      [{ host: "localhost.evil.example:16686" }, 421],
      [{ host: "a@localhost" }, 421],
      [{ host: "localhost:1" }, 200],
      [{ host: "[::1]:1" }, 200],
      [{ host: "10.1.2.3" }, 200],
      [{ host, origin: "http://evil.example" }, 403],
      [{ host, origin: "null" }, 403],
      [{ host, origin: `http://${host}` }, 200],
    ];
    for (const [headers, status] of expectations) {
      assert.equal((await askRaw("/api/v1/health", headers)).status, status, JSON.stringify(headers));
    }
  });

  it("get no CORS headers, and every answer forbids foreign scripts and sniffing", async () => {
    const { headers } = await askRaw("/api/v1/services", {});
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.match(String(headers["content-security-policy"]), /script-src 'self'/);
    assert.equal(headers["x-powered-by"], undefined);
  });

  it("cannot change anything: only GET and HEAD are accepted", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
      assert.equal((await askRaw("/api/v1/traces", {}, method)).status, 405);
    assert.equal((await askRaw("/api/v1/nothing", {}, "POST")).status, 404);
  });
});

describe("probes", () => {
  it("answer at the root and under the API", async () => {
    for (const path of ["/health", "/ready", "/api/v1/health", "/api/v1/ready"]) {
      const response = await fetch(stack.url + path);
      assert.deepEqual([response.status, await response.json()], [200, { status: "ok" }]);
    }
    for (const path of ["/metrics", "/api/v1/metrics"]) {
      const body = await (await fetch(stack.url + path)).text();
      assert.match(body, /callchain_query_request_seconds_count\{route="\/health",status="200"\}/);
    }
  });
});

describe("the OpenAPI document", () => {
  it("describes every route with its parameters, and every reference leads somewhere", async () => {
    const { body } = await stack.ask("/openapi.json");
    const text = JSON.stringify(body);
    const document = body as {
      openapi: string;
      paths: Record<string, Record<string, { parameters: { name: string }[] }>>;
      components: { schemas: object };
    };
    assert.equal(document.openapi, "3.1.0");
    for (const route of routes) {
      const described = document.paths[`/api/v1${route.path}`]?.[route.method.toLowerCase()]?.parameters.map(({ name }) => name);
      assert.deepEqual(described, Object.keys(route.params), route.path);
    }
    const references = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference]) => reference ?? "");
    assert.ok(references.length > routes.length);
    for (const reference of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1] ?? reference;
      assert.ok(name in document.components.schemas, reference);
    }
  });
});
