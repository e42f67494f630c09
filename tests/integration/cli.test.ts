/** The questions of the command line, asked of a running all-in-one. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { TailSpan } from "@callchain/schemas/api/tail.ts";
import { TraceSummary, TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { buildTracesJson } from "@callchain/schemas/otlp/export.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { unixNano, unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { CLI, makeTempDir, removeDir, runCli, startCallchain, until, type CallchainProcess } from "../support/process.ts";
import { buildSpan, spanIdOf, traceIdOf } from "../support/store-spans.ts";

const dir = makeTempDir();
let callchain: CallchainProcess;
before(async () => {
  callchain = await startCallchain(join(dir, "data"));
});
after(async () => {
  await callchain.stop();
  removeDir(dir);
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
const run = (...args: readonly string[]): Promise<Ended> => runCli([...args, "--url", callchain.queryUrl]);
const linesOf = (output: string): string[] => output.split("\n").filter((line) => line !== "");
const startNano = unixNanoFromMs(Date.now() - 60_000);

function buildTrace(number: number, rest: Partial<Span> = {}): Span[] {
  const traceId = traceIdOf(number);
  const times = { traceId, startNano: unixNano(startNano - BigInt(number)) };
  return [
    buildSpan({ ...times, name: `GET /${number}`, durationNano: 3_000_000n, ...rest }),
    buildSpan({ ...times, spanId: spanIdOf(2), parentSpanId: spanIdOf(1), name: "query", service: "db" }),
  ];
}
const fileOf = (spans: readonly Span[]): string => `${JSON.stringify(buildTracesJson(spans))}\n`;

describe("the command line", () => {
  it("imports files, and tells what it left out and why", async () => {
    const [plain, zipped, bad] = ["a.json", "b.ndjson.gz", "c.json"].map((name) => join(dir, name)) as [string, string, string]; // three names
    writeFileSync(
      plain,
      JSON.stringify(buildTracesJson(buildTrace(1, { status: { code: "error", message: "declined" } })), null, 2),
    );
    writeFileSync(zipped, gzipSync(Array.from({ length: 30 }, (_, at) => fileOf(buildTrace(at + 2))).join("")));
    const good = await run("import", plain, zipped);
    assert.deepEqual(
      [good.status, linesOf(good.stdout)],
      [0, [`${plain}: 2 spans imported`, `${zipped}: 60 spans imported`]],
      good.stderr,
    );
    assert.ok(!good.stderr.includes("\u001b"));

    writeFileSync(bad, fileOf([...buildTrace(40)]).replace(traceIdOf(40), "abcd"));
    const partly = await run("import", bad);
    assert.equal(partly.status, 1);
    assert.equal(partly.stdout, `${bad}: 1 spans imported, 1 spans rejected\n`);
    assert.match(partly.stderr, /c\.json, line 1: 1 spans were left out: .*trace/i);

    writeFileSync(bad, '{"data":[],"total":0}');
    const refused = await run("import", bad);
    assert.deepEqual([refused.status, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /callchain: .*given an object with "data", "total"; accepted is OTLP\/JSON/);
    const missing = await run("import", join(dir, "nothing"));
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /nothing: ENOENT/);
  });

  it("finds traces, as a table and as lines of JSON, over several pages", async () => {
    await until(
      "all traces are stored",
      async () => linesOf((await run("traces", "--limit", "100", "--ndjson")).stdout).length === 32,
    );
    const lines = linesOf((await run("traces", "--ndjson", "--q", "{ status = error }")).stdout);
    assert.deepEqual(
      lines.map((line) => TraceSummary.parse(JSON.parse(line)).traceId),
      [traceIdOf(1)],
    );
    const table = linesOf((await run("traces", "--limit", "3", "--sort", "slowest")).stdout);
    assert.match(table[0] ?? "", /^START \(UTC\) +DURATION +SPANS +ERRORS +TRACE +ROOT$/);
    assert.equal(table.length, 4);
    const nothing = await run("traces", "--q", "{ name = `nobody` }");
    assert.deepEqual([nothing.status, nothing.stdout], [0, ""]);
    assert.match(nothing.stderr, /no trace matches/);
  });

  it("draws a trace", async () => {
    const { status, stdout } = await run("trace", traceIdOf(1));
    assert.equal(status, 0);
    assert.match(stdout, /^GET \/1 of shop: 3 ms, 2 spans, 1 error, 2 services\n/);
    assert.match(stdout, /3 ms │█{24}│ shop {2}GET \/1 {2}! {2}declined\n/);
    assert.match(stdout, /└─ db {2}query/);
    assert.ok(!stdout.includes("\u001b"));
    const json = await run("trace", "--json", traceIdOf(1));
    assert.equal(TraceTreeAnswer.parse(JSON.parse(json.stdout)).spanCount, 2);
    const unknown = await run("trace", "f".repeat(32));
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /no span of trace f+ is stored/);
  });

  it("exports to a file and to standard output, and says where there is more", async () => {
    const file = join(dir, "out.ndjson.gz");
    const written = await run("export", "--output", file, "--q", "{ resource.service.name = `db` }");
    assert.equal(written.status, 0, written.stderr);
    assert.match(written.stderr, /: 32 lines exported/);
    const piped = await run("export");
    assert.equal(gunzipSync(readFileSync(file)).toString(), piped.stdout);
    const cut = await run("export", "--limit", "2");
    assert.match(cut.stderr, /2 lines exported\n.*not everything: These are the newest 2 traces/);
  });

  it("follows spans until it is told to stop", async () => {
    const child = spawn(
      process.execPath,
      [CLI, "tail", "--ndjson", "--q", "{ name = `GET /live` }", "--url", callchain.queryUrl],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let output = "";
    child.stdout.on("data", (piece: Buffer) => (output += piece.toString()));
    child.stderr.on("data", (piece: Buffer) => (output += piece.toString()));
    const closed = once(child, "close");
    let number = 1_000;
    await until("a span is told", async () => {
      // It is not said when the tail has begun, so spans are sent until one is seen.
      number += 1;
      const body = fileOf(buildTrace(number, { name: "GET /live" }));
      await fetch(`${callchain.otlpHttpUrl}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      return output.includes("\n");
    });
    child.kill("SIGINT");
    await closed;
    assert.equal(child.exitCode, 0, output);
    for (const line of linesOf(output)) assert.equal(TailSpan.parse(JSON.parse(line)).name, "GET /live");
  });

  it("refuses in words what it does not know", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["trace"], /callchain trace: given nothing, accepted is ID/],
      [["trace", "a", "b"], /given "a" "b", accepted is ID/],
      [["traces", "word"], /given "word", accepted is flags only/],
      [["traces", "--limit", "none"], /--limit: given "none", accepted is a whole number/],
      [["traces", "--q", "{ duration > }"], /q: given "\{ duration > \}"/],
      [["tail", "--q", "{ duration > }"], /q: given/],
      [["trace", "nonsense"], /id: given "nonsense", accepted is 32 hex digits/],
      [["export", "--from", "soon"], /from: given "soon"/],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = await run(...args);
      assert.deepEqual([status, stdout], [1, ""], args.join(" "));
      assert.match(stderr, message);
    }
    const away = await runCli(["traces", "--url", "http://127.0.0.1:9"]);
    assert.match(away.stderr, /no answer from http:\/\/127\.0\.0\.1:9 .*is Callchain running there/);
    const help = await runCli(["import", "--help"]);
    assert.match(help.stdout, /callchain import FILE\.\.\.: files of OTLP\/JSON.*\n {2}--url +CALLCHAIN_URL/);
  });
});
