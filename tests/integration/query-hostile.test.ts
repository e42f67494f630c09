import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { routes } from "@callchain/query-api/routes/table.ts";
import { Problem } from "@callchain/schemas/api/common.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { attributes, buildSpan, storeSpans, text, traceIdOf } from "../support/store-spans.ts";

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await storeSpans(stack.writer, [buildSpan({ attributes: attributes({ secret: text("canary-7f3a") }) })]);
});
after(() => stack.stop());

const SQL = [
  "'",
  '"',
  "`",
  "\\",
  "';--",
  "' OR 1=1 --",
  "') OR 1=1 --",
  "1; DROP TABLE spans",
  "'; DROP TABLE spans; --",
  "\\'; SELECT 1; --",
  "' UNION ALL SELECT * FROM system.users --",
  "x' AND sleep(3) AND '1'='1",
  "{p:String}",
  "{q0:String}",
  "{from:Int64}",
  "} FORMAT Null",
  "1) SETTINGS max_execution_time=0 --",
  "file('/etc/passwd')",
  "url('http://127.0.0.1:1/')",
  "remote('127.0.0.1','system','one')",
  "executable('id')",
  "/*",
  "*/",
  "--",
  "#",
  "$$x$$",
  "0x27",
  "CHAR(39)",
  "%27%20OR%201=1",
  "\u02bc OR 1=1",
  "spans WHERE 1",
  "INSERT INTO spans VALUES (1)",
];
const REGEX = [
  "(",
  ")",
  "[",
  "*",
  "+",
  "?",
  "(a+)+$",
  "(?P<x",
  "\\C",
  "\\1",
  "(?=a)",
  "a{1,1000}{1,1000}",
  "(".repeat(300),
  "x".repeat(257),
  "[[:alpha:]",
  "\\p{Foo}",
  "(?i)",
  "^$",
  ".*",
  "|||",
];
const UNICODE = [
  "\0",
  "\u0001\u001f",
  "\ud800",
  "\udfff x",
  "\u202e",
  "\ufeff",
  "日本語",
  "𝕏",
  "e\u0301",
  "🙂".repeat(50),
  "\r\nSet-Cookie: a=b",
  "\t\t",
  "%",
  "%zz",
  "%00",
  "%E0%A4%A",
  "\u2028",
  "İı",
];
const NUMBERS = [
  "NaN",
  "Infinity",
  "-Infinity",
  "-1",
  "0",
  "1e309",
  "1e-400",
  "9223372036854775807",
  "9223372036854775808",
  "18446744073709551616",
  "0x10",
  "1_000",
  "٣",
  "+1",
  "1.5",
  ".5",
  "5.",
  "--1",
  "1e5",
  "007",
  "null",
  "undefined",
  "true",
  "[object Object]",
  "now-9999999w",
  "now+1h",
  "now-",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59Z",
  "2026-02-30T00:00:00Z",
  "99999999999999999999999",
];
const TRACEQL = [
  "{",
  "}",
  "{ }",
  "{ .a = }",
  '{ .a = "',
  "{{}}",
  "{ } | count() > 1",
  "{ } >> { }",
  "{ } >> { } >> { } && { } || { } !~ { }",
  "{ } &>> { .a } | by(.a, span.b) | count() > 0 | select(.c)",
  "({ } | avg(duration) > 1ns) > { .b =~ `(` }",
  "{ } | sum(.x) > 1e308 | coalesce()",
  "{ } | rate() by(.a, .b)",
  "{ } | quantile_over_time(.x, 0, 1)",
  "{ } | histogram_over_time(.`x`)",
  "{ } | by(`a`)",
  '{ } | select(span."\\u0000", ."}) -- ")',
  "{ trace:spanCount > 99999999999 && trace:complete = false }",
  "{ event:timeSinceStart > 1ns } ~ { instrumentation:name != nil }",
  '{ name =~ "(" }',
  '{ span.a =~ "[" && .b != nil }',
  "!!!!",
  "((((((",
  "a=b=c",
  "=",
  "==",
  "&&",
  '{ trace:id = "zz" }',
  "{ span:parentID = nil }",
  '{ event.x = 1 && link.y =~ "a" }',
  "{ traceDuration > 1ns }",
  '{ rootName = "x" || !(rootServiceName !~ "y") }',
  "{ .__proto__ = 1 }",
  "{ span.constructor != nil }",
];
const SHAPES = [
  "",
  " ",
  "a".repeat(5000),
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "..%2f..%2f",
  "//",
  "?",
  "&a=b",
  "<script>alert(1)</script>",
  "javascript:alert(1)",
  '{"a":1}',
  "[]",
  "a=b",
  "=b",
  "a=",
  "a,b,,c",
  ",",
  ";",
  "http://evil/",
  "0".repeat(32),
  "f".repeat(32),
  "f".repeat(33),
  "eyJzIjoibmV3ZXN0In0",
  "eyJzIjoic2xvd2VzdCIsInEiOiIwMTIzNDU2Nzg5YWJjZGVmIiwiZiI6IjAiLCJ0IjoiMSIsImsiOiIwIiwiaSI6ImFhIn0",
];
const BASE = [...SQL, ...REGEX, ...UNICODE, ...NUMBERS, ...TRACEQL, ...SHAPES];

/** As it is, quoted into a query, and as the value of a pair: over 300 texts. */
const PAYLOADS = [
  ...BASE,
  ...BASE.map((payload) => `key=${payload}`),
  ...BASE.slice(0, 60).map((payload) => `{ .a = ${JSON.stringify(payload)} }`),
];

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
  Problem.parse(JSON.parse(body));
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
    assert.ok(PAYLOADS.length > 300);
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
