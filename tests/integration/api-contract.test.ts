/** The query API as its clients meet it, on the running all-in-one: its own description, the page, limits, and callers that leave. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";
import { Shop } from "@callchain/deploy/demo/demo.ts";
import { routes } from "@callchain/query-api/routes/table.ts";
import { sendSpans } from "@callchain/deploy/demo/sender.ts";
import { Problem, Scan } from "@callchain/schemas/api/common.ts";
import { TraceSearchAnswer, TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { familyOf } from "../bench/proc.ts";
import { askEngine, commandEngine } from "../support/engine.ts";
import { askRaw } from "../support/http.ts";
import { eventually, getJson, makeTempDir, removeDir, startCallchain, until } from "../support/process.ts";
import type { CallchainProcess } from "../support/process.ts";

const dataDir = makeTempDir();
let callchain: CallchainProcess;
/** Of the demo: a trace with everything in it. */
let sample: { readonly traceId: string; readonly spanId: string };
before(async () => {
  callchain = await startCallchain(dataDir);
  const nowMs = Date.now();
  const starts = Array.from({ length: 300 }, (_, index) => nowMs - 3_000_000 + index * 9000);
  const sent = await sendSpans(callchain.otlpHttpUrl, new Shop(7).traces(starts));
  await until("the demo is stored", async () => {
    const [row] = await askEngine<{ n: number }>(callchain.engineUrl, "SELECT count() AS n FROM spans");
    return row?.n === sent;
  });
  const api = `${callchain.queryUrl}/api/v1`;
  const { traces } = TraceSearchAnswer.parse(await getJson(`${api}/traces?service=checkout&status=error&from=now-3h&limit=1`));
  const traceId = traces[0]?.traceId ?? "";
  const { spans } = TraceTreeAnswer.parse(await getJson(`${api}/traces/${traceId}?view=tree`));
  sample = { traceId, spanId: spans.at(-1)?.spanId ?? "" };
});
after(async () => {
  await callchain.stop();
  removeDir(dataDir);
});

const Content = z.record(z.string(), z.object({ schema: z.record(z.string(), z.unknown()) }));
const OpenApi = z.object({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.object({
      get: z
        .object({
          parameters: z.array(z.object({ name: z.string(), in: z.enum(["path", "query"]) })),
          responses: z.record(z.string(), z.object({ content: Content })),
        })
        .optional(),
    }),
  ),
});

/** What stands for `{name}` in a path; a new one needs its sample here. */
function fillPath(path: string, wrong: boolean): string {
  const samples: Readonly<Record<string, readonly [right: string, wrong: string]>> = {
    id: [sample.traceId, "nonsense"],
    spanId: [sample.spanId, "nonsense"],
    name: ["checkout", "no-such-service"],
    key: ["span.http.route", "no such field"],
  };
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const found = samples[name];
    assert.ok(found !== undefined, `no sample for the path parameter ${name} of ${path}`);
    return encodeURIComponent(found[wrong ? 1 : 0]);
  });
}

/** Further questions that bring out other forms of an answer. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  "/api/v1/traces": [
    "sort=slowest&limit=3",
    `q=${encodeURIComponent('{ resource.service.name = "checkout" && status = error }')}`,
    "service=nobody",
    `q=${encodeURIComponent("{ kind = server } >> { } | by(resource.service.name) | select(span.http.route)")}`,
    "complete=true&minServices=2",
    `q=${encodeURIComponent("{ duration > 0.1 * traceDuration } | select(duration, span:childCount, event:name)")}`,
  ],
  "/api/v1/traces/{id}": ["view=tree", "view=otlp"],
  "/api/v1/series": [
    `q=${encodeURIComponent("{ kind = server } | quantile_over_time(duration, .5, .99) by(resource.service.name)")}`,
    `q=${encodeURIComponent("{ } | histogram_over_time(duration)")}&step=10m`,
    `q=${encodeURIComponent("{ } | compare({ status = error }, 3)")}&step=10m`,
    `q=${encodeURIComponent("{ } | rate() by(resource.service.name) > 0.001 | topk(2)")}`,
  ],
  "/api/v1/latency": ["by=service", "by=resource.service.version&p=50,99.9&step=10m", "service=nobody"],
  "/api/v1/heatmap": ["service=checkout&status=error&step=10m", "service=nobody"],
  "/api/v1/exemplars": ["service=checkout&status=error&limit=3"],
  "/api/v1/critical-path": ["service=checkout&by=resource.host.name", "by=service&traces=5", "service=nobody"],
  "/api/v1/repeats": ["service=orders", `q=${encodeURIComponent("{ kind = server } >> { kind = client } | count() > 1")}`],
  "/api/v1/skew": ["complete=true&minServices=2"],
  "/api/v1/dependencies": ["focus=checkout&depth=1", "compareFrom=now-6h&compareTo=now-3h"],
  "/api/v1/attributes": ["scope=resource&prefix=service", "prefix=nothing-begins-so"],
};

/** What a route must be asked with at least. */
const LEAST: Readonly<Record<string, () => string>> = {
  "/api/v1/outliers": () => `selection=${encodeURIComponent("{ status = error }")}`,
  "/api/v1/diff": () => `a=${sample.traceId}&b=${encodeURIComponent('{ resource.service.name = "checkout" }')}`,
};

/** What is read by its id is there as it was sent, or is not; the rest is no question to the store. */
const WITHOUT_SCAN: ReadonlySet<string> = new Set([
  "/api/v1/traces/{id}",
  "/api/v1/traces/{id}/spans/{spanId}",
  "/api/v1/ingest",
  "/api/v1/health",
  "/api/v1/ready",
  "/api/v1/openapi.json",
]);
const Scanned = z.object({ scan: Scan });

/** Every answer says what it looked at, and a partial one why. */
function checkScan(path: string, query: string, body: unknown): void {
  if (WITHOUT_SCAN.has(path) && query !== "view=tree") return;
  const { scan } = Scanned.parse(body, { error: () => `no scan in ${path}?${query}` });
  assert.equal(scan.partial, scan.partialReason !== null, `${path}?${query}`);
  assert.ok(scan.rows >= 0 && scan.bytes >= 0 && scan.elapsedMs > 0);
  assert.ok(scan.rows > 0 || query.includes("nobody") || query.includes("nothing"), `${path}?${query} looked at nothing`);
}

describe("the OpenAPI document that the server serves", () => {
  it("describes every answer of every route, errors too", async (t) => {
    const api = await getJson(`${callchain.queryUrl}/api/v1/openapi.json`);
    assert.ok(typeof api === "object" && api !== null);
    const { paths } = OpenApi.parse(api);
    const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    ajv.addSchema({ ...api, $id: "https://callchain/api" });
    let count = 0;
    const check = async (path: string, query: string, wrong: boolean, range = ""): Promise<number> => {
      const response = await fetch(`${callchain.queryUrl}${fillPath(path, wrong)}?${query}${range}`);
      const body: unknown = await response.json();
      const described = paths[path]?.get?.responses ?? {};
      const content = (described[String(response.status)] ?? described["default"])?.content ?? {};
      const mediaType = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
      const what = `${response.status} ${mediaType} of ${path}?${query}`;
      const schema = content[mediaType]?.schema;
      assert.ok(schema !== undefined, `${what}: not in the document`);
      const validate = ajv.compile({ $id: `https://callchain/answer/${count}`, allOf: [rebase(schema)] });
      assert.ok(validate(body), `${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body).slice(0, 1000)}`);
      if (response.status === 200) checkScan(path, query, body);
      count += 1;
      return response.status;
    };
    for (const [path, { get }] of Object.entries(paths)) {
      // What is sent has its own suite (transfer.test.ts).
      if (get === undefined) continue;
      const hasRange = get.parameters.some(({ name }) => name === "from");
      const range = hasRange ? "&from=now-3h" : "";
      // Streams have their own suites (tail.test.ts, transfer.test.ts).
      const isJson = get.responses["200"]?.content["application/json"] !== undefined;
      for (const query of isJson ? [LEAST[path]?.() ?? "", ...(MORE[path] ?? [])] : [])
        assert.equal(await check(path, query, false, range), 200, `${path}?${query}`);
      assert.equal(await check(path, "nonsense=1", false, range), 400);
      if (hasRange) assert.equal(await check(path, "from=yesterday-ish", false), 400);
      if (path.includes("{")) await check(path, "", true, range);
    }
    assert.deepEqual(Object.keys(paths).toSorted(), [...new Set(routes.map((route) => `/api/v1${route.path}`))].toSorted());
    t.diagnostic(`${count} answers of ${Object.keys(paths).length} routes`);
  });
});

/** References of the document mean the document, wherever they stand. */
function rebase(schema: unknown): object {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"https://callchain/api#/');
  const rebased: unknown = JSON.parse(text);
  assert.ok(typeof rebased === "object" && rebased !== null);
  return rebased;
}

describe("the page", () => {
  it("is served at every address of its own, never from a cache unasked, and may run only its own scripts", async () => {
    const root = await fetch(`${callchain.queryUrl}/`);
    const html = await root.text();
    assert.match(html, /<div id="app">/);
    for (const path of ["/", "/search?q=%7B%7D", "/map", "/service/checkout", `/trace/${sample.traceId}?span=${sample.spanId}`]) {
      const response = await fetch(callchain.queryUrl + path, { headers: { accept: "text/html,*/*;q=0.8" } });
      assert.equal(response.status, 200, path);
      assert.equal(await response.text(), html, path);
      assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
      assert.equal(response.headers.get("cache-control"), "no-cache");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      const policy = response.headers.get("content-security-policy") ?? "";
      for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
        assert.ok(policy.split("; ").includes(rule), `${rule} in ${policy}`);
      }
    }
  });

  it("has its assets for ever, by their hashed names", async () => {
    const html = await (await fetch(`${callchain.queryUrl}/`)).text();
    const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? "");
    assert.ok(assets.length >= 2);
    for (const path of assets) {
      const response = await fetch(callchain.queryUrl + path);
      await response.arrayBuffer();
      assert.equal(response.status, 200, path);
      assert.match(response.headers.get("content-type") ?? "", path.endsWith(".js") ? /javascript/ : /text\/css/);
      assert.match(response.headers.get("cache-control") ?? "", /max-age=31536000.*immutable/);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    }
  });

  it("does not stand in for what is missing, and nothing outside of it can be had", async () => {
    for (const path of [
      "/assets/index-gone.js",
      "/assets/",
      "/favicon.ico",
      "/robots.txt",
      "/api/v1/nothing",
      "/api",
      "/assets/../../package.json",
      "/assets/..%2f..%2fpackage.json",
      "/..%2f..%2f..%2fetc%2fhosts.txt",
    ]) {
      const { status, headers, body } = await askRaw(callchain.queryUrl, path);
      assert.ok(status === 404 || status === 400 || status === 403, `${status} for ${path}`);
      assert.match(String(headers["content-type"]), /^application\/problem\+json/, path);
      assert.equal(Problem.parse(JSON.parse(body)).status, status);
    }
  });
});

describe("a question that cannot be answered in time", () => {
  it("is answered in part, with the reason and what to do", async () => {
    const [, ...engine] = familyOf(callchain.child.pid ?? 0);
    assert.ok(engine.length > 0);
    for (const pid of engine) process.kill(pid, "SIGSTOP");
    try {
      const answer = TraceSearchAnswer.parse(await getJson(`${callchain.queryUrl}/api/v1/traces?service=checkout`));
      assert.equal(answer.scan.partial, true);
      assert.match(answer.scan.partialReason ?? "", /longer than it may.*narrow the time range/);
    } finally {
      for (const pid of engine) process.kill(pid, "SIGCONT");
    }
    await eventually(async () => {
      const answer = TraceSearchAnswer.parse(await getJson(`${callchain.queryUrl}/api/v1/traces?service=checkout`));
      assert.equal(answer.scan.partial, false);
    });
  });
});

/** A pattern whose states are too many for RE2 to keep: it reads random texts at a few MB a second. */
const SLOW_PATTERN = "[ab]*a[ab]{20}[cd]";
/** A million spans with such texts, half a minute of reading, and no more than a second of it between two looks at the caller. */
const INSERT_SLOW = `INSERT INTO spans (ingest_day, trace_id, span_id, start, duration_nano, service, name, status_message)
  SELECT today(), randomFixedString(16), randomFixedString(8), now64(9) - 600, 1, 'slow', 'slow',
    translate(hex(randomString(30)), '0123456789ABCDEF', 'abababababababab')
  FROM numbers(1000000)`;

describe("a caller that leaves", () => {
  it("takes its running statement out of the engine", async () => {
    await commandEngine(callchain.engineUrl, INSERT_SLOW);
    interface Running {
      readonly elapsed: number;
    }
    const running = (): Promise<Running[]> =>
      askEngine(
        callchain.engineUrl,
        "SELECT elapsed FROM system.processes WHERE query LIKE '%AS buckets%' AND query NOT LIKE '%system.processes%'",
      );
    const leaving = new AbortController();
    const q = encodeURIComponent(`{ statusMessage =~ ${JSON.stringify(SLOW_PATTERN)} }`);
    const asked = fetch(`${callchain.queryUrl}/api/v1/latency?q=${q}`, { signal: leaving.signal }).then(
      (response) => `answered with ${response.status}`,
      (error: unknown) => (error instanceof Error ? error.name : String(error)),
    );
    await until("the statement runs", async () => (await running()).length > 0);
    leaving.abort();
    assert.equal(await asked, "AbortError");
    let elapsedSeconds = 0;
    await until("the statement is gone", async () => {
      const [statement] = await running();
      elapsedSeconds = statement?.elapsed ?? elapsedSeconds;
      return statement === undefined;
    });
    assert.ok(elapsedSeconds < 25, `it ran for ${elapsedSeconds} s: its own limit of 30 s ended it`);
  });
});
