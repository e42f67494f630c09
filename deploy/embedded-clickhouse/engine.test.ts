/** The engine's process as the unmodified ClickHouse client sees it. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { createClient, type ClickHouseClient } from "@clickhouse/client";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from "./supervisor.ts";

let dir: string;
let engine: EmbeddedClickHouse;
let client: ClickHouseClient;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "callchain-engine-"));
  engine = await startEmbeddedClickHouse({
    dataDir: dir,
    address: { host: "127.0.0.1", port: 0 },
    log: openLog("test", "silent"),
  });
  client = createClient({ url: engine.url, max_open_connections: 200, log: { level: 127 } });
});

after(async () => {
  await client.close();
  await engine.stop();
  await rm(dir, { recursive: true });
});

async function rowsOf<T>(
  query: string,
  options: { query_params?: Record<string, unknown>; query_id?: string } = {},
): Promise<T[]> {
  const result = await client.query({ query, format: "JSONEachRow", ...options });
  return await result.json<T>();
}

async function assertCode(work: Promise<unknown>, code: number): Promise<void> {
  await assert.rejects(work, (error: Error & { code?: string }) => {
    assert.equal(error.code, String(code), error.message);
    return true;
  });
}

async function waitUntil(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await delay(20);
}

async function countOf(table: string): Promise<number> {
  return Number((await rowsOf<{ n: string }>(`SELECT toString(count()) AS n FROM ${table}`))[0]?.n);
}

async function runningIds(): Promise<string[]> {
  return (await rowsOf<{ id: string }>("SELECT Settings['log_comment'] AS id FROM system.processes")).map((row) => row.id);
}

/** One request without the client. */
async function send(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Uint8Array | string } = {},
): Promise<{ status: number; headers: Record<string, unknown>; text: string; isCut: boolean }> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      `${engine.url}${path}`,
      { method: options.method ?? "POST", headers: options.headers ?? {} },
      (incoming) => {
        const chunks: Buffer[] = [];
        const finish = (isCut: boolean): void =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: Buffer.concat(chunks).toString(), isCut });
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("end", () => finish(false));
        incoming.on("error", () => finish(true));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
}

test("parameters arrive exactly as they were given", async () => {
  const params = {
    s: "a'b\\c\t\n\r\0;-- é 🦉 {x:UInt8}",
    list: ["x'y", "z\tq\\", "\n", "", "\\N"],
    map: new Map([["k'\n", "v\\"]]),
    nothing: null,
    big: 18446744073709551615n,
    time: "2262-04-11 23:47:16.854775807",
  };
  const [row] = await rowsOf<Record<string, unknown>>(
    "SELECT {s:String} AS s, {list:Array(String)} AS list, {map:Map(String, String)} AS map, {nothing:Nullable(String)} AS nothing, " +
      "toString({big:UInt64}) AS big, toString({time:DateTime64(9)}) AS time",
    { query_params: params },
  );
  assert.deepEqual(row, { ...params, map: { "k'\n": "v\\" }, big: String(params.big) });
});

test("parameters of statements that run at the same time do not mix", async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const [row] = await rowsOf<{ x: number }>("SELECT {x:UInt32} AS x, sleep(0.01)", { query_params: { x: i } });
      return row?.x;
    }),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 60 }, (_, i) => i),
  );
});

test("rows of text formats are data and never SQL", async () => {
  await client.command({
    query: "CREATE TABLE texts (id UInt32, text String DEFAULT concat('d', toString(id))) ENGINE = MergeTree ORDER BY id",
  });
  const text = "x\n\n;DROP TABLE texts;\n\nINSERT INTO texts VALUES (9, 'y') FORMAT JSON\0é";
  await client.insert({ table: "texts", values: [{ id: 1, text }, { id: 2 }], format: "JSONEachRow" });
  await client.insert({
    table: "texts",
    values: Readable.from(['3,"a\n\nSELECT 1;\n"\n'], { objectMode: false }),
    format: "CSV",
  });
  await client.command({ query: "INSERT INTO texts (id, text) VALUES (4, 'q\\'; DROP TABLE texts'), (5, upper('e'));" });
  assert.deepEqual(await rowsOf("SELECT * FROM texts ORDER BY id"), [
    { id: 1, text },
    { id: 2, text: "d2" },
    { id: 3, text: "a\n\nSELECT 1;\n" },
    { id: 4, text: "q'; DROP TABLE texts" },
    { id: 5, text: "E" },
  ]);
});

test("Native rows survive with every byte, through both forms of INSERT", async () => {
  await client.command({
    query: "CREATE TABLE bytes (a UInt8, b String, c LowCardinality(String)) ENGINE = MergeTree ORDER BY a",
  });
  const select =
    "SELECT 10 + number AS a, concat('\\n\\n;DROP TABLE bytes\\n\\n', char(number), '\\0') AS b, toString(number % 3)::LowCardinality(String) AS c FROM numbers(100)";
  const source = await client.exec({ query: `${select} FORMAT Native` });
  const block = Buffer.concat(await Readable.from(source.stream).toArray());
  assert.ok(block.includes("\n\n"));
  const insert = async (query: string): Promise<void> => {
    const result = await client.exec({ query, values: Readable.from([block.subarray(0, 100), block.subarray(100)]) });
    await result.stream.toArray();
  };
  await insert("INSERT INTO bytes FORMAT Native");
  const guarded = (max: number): string =>
    "INSERT INTO bytes (a, b, c) SELECT a, b, c FROM input('a UInt8, b String, c LowCardinality(String)') " +
    `WHERE throwIf((SELECT count() FROM bytes) != ${max}) = 0 FORMAT Native`;
  await insert(guarded(100));
  await assertCode(insert(guarded(100)), 395);
  await assertCode(
    client.exec({ query: "INSERT INTO bytes FORMAT Native", values: Readable.from([block.subarray(0, block.length - 7)]) }),
    33,
  );
  const [counts] = await rowsOf<Record<string, number>>(
    `SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(a, b, c)) AS different, toUInt32(countIf((a, b, c) IN (${select}))) AS equal FROM bytes`,
  );
  assert.deepEqual(counts, { rows: 200, different: 100, equal: 200 });
  assert.deepEqual(await readdir(join(dir, "engine", "spool")), []);
});

test("statement and binary rows may share one body", async () => {
  await client.command({ query: "CREATE TABLE shared (a UInt8) ENGINE = MergeTree ORDER BY a" });
  const body = Buffer.concat([Buffer.from("INSERT INTO shared FORMAT RowBinary\n"), Buffer.from([10, 10, 59, 200])]);
  assert.equal((await send("/", { body })).status, 200);
  assert.deepEqual(await rowsOf("SELECT groupArray(a) AS a FROM (SELECT a FROM shared ORDER BY a)"), [{ a: [10, 10, 59, 200] }]);
});

test("the summary of an INSERT counts its rows", async () => {
  await client.command({ query: "CREATE TABLE counted (a UInt32) ENGINE = MergeTree ORDER BY a" });
  const { summary } = await client.insert({ table: "counted", values: [{ a: 1 }, { a: 2 }, { a: 3 }], format: "JSONEachRow" });
  assert.equal(summary?.written_rows, "3");
});

test("gzip is spoken both ways", async () => {
  const zipped = createClient({ url: engine.url, compression: { request: true, response: true }, log: { level: 127 } });
  try {
    await zipped.command({ query: "CREATE TABLE zipped (a UInt32) ENGINE = MergeTree ORDER BY a" });
    await zipped.insert({ table: "zipped", values: Array.from({ length: 50_000 }, (_, a) => ({ a })), format: "JSONEachRow" });
    const result = await zipped.query({ query: "SELECT a FROM zipped ORDER BY a", format: "JSONCompactEachRow" });
    assert.equal(result.response_headers["content-encoding"], "gzip");
    assert.equal((await result.json()).length, 50_000);
  } finally {
    await zipped.close();
  }
  assert.equal(
    (await send("/?query=INSERT+INTO+zipped+FORMAT+CSV", { body: "no gzip", headers: { "Content-Encoding": "gzip" } })).status,
    400,
  );
  const torn = gzipSync("1\n2\n").subarray(0, 20);
  assert.equal(
    (await send("/?query=INSERT+INTO+zipped+FORMAT+CSV", { body: torn, headers: { "Content-Encoding": "gzip" } })).status,
    400,
  );
  assert.equal(await countOf("zipped"), 50_000);
});

test("long parameters sent as a form are read", async () => {
  const value = "é'\\\n".repeat(20_000);
  const result = await client.query({
    query: "SELECT length({v:String}) AS n",
    query_params: { v: value },
    use_multipart_params: true,
    format: "JSONEachRow",
  });
  assert.deepEqual(await result.json(), [{ n: Buffer.byteLength(value) }]);
});

test("errors carry ClickHouse's code, text and status", async () => {
  await assertCode(rowsOf("SELECT * FROM nowhere"), 60);
  await assertCode(rowsOf("SELEC 1"), 62);
  await assertCode(rowsOf("SELECT {x:UInt8}", { query_params: { x: "y" } }), 457);
  await assertCode(rowsOf("SELECT {x:UInt8}"), 456);
  await assertCode(client.command({ query: "SELECT 1; SELECT 2" }), 62);
  await assertCode(client.query({ query: "SELECT 1", clickhouse_settings: { readonly: "1" }, session_id: "s" }), 48);
  const answer = await send("/?no_such_setting=1", { body: "SELECT 1" });
  assert.equal(answer.status, 404);
  assert.equal(answer.headers["x-clickhouse-exception-code"], "115");
  assert.match(answer.text, /^Code: 115\. DB::Exception: .*\(UNKNOWN_SETTING\) \(version \d+\.\d+.*\)\n$/);
});

test("a GET changes nothing, nor does a reader read this machine's files", async () => {
  const answer = await send(`/?query=${encodeURIComponent("CREATE TABLE got (a UInt8) ENGINE = Memory")}`, { method: "GET" });
  assert.equal(answer.headers["x-clickhouse-exception-code"], "164");
  assert.equal((await send("/?query=SELECT%201", { method: "GET" })).text, "1\n");
  await assertCode(rowsOf("SELECT * FROM file('/etc/passwd', LineAsString)"), 497);
  await client.command({ query: "CREATE TABLE expressions (a String) ENGINE = MergeTree ORDER BY a" });
  await assertCode(client.command({ query: "INSERT INTO expressions VALUES (file('/etc/passwd'))" }), 497);
});

test("web pages are refused, by Origin and by Host", async () => {
  for (const headers of [
    { Origin: "http://evil.example" },
    { Origin: "null" },
    { Host: "evil.example" },
    { Host: "localhost.evil.example:80" },
  ]) {
    assert.equal((await send("/", { body: "SELECT 1", headers })).status, 403, JSON.stringify(headers));
    assert.equal((await send("/ping", { method: "GET", headers })).status, 403);
  }
  assert.equal((await send("/", { body: "SELECT 1", headers: { Host: "localhost" } })).text, "1\n");
});

test("a reader that pauses holds its statement back, and a million rows stream through", async () => {
  const result = await client.query({
    query: "SELECT number AS n, repeat('x', 200) AS x FROM numbers(1000000)",
    query_id: "paused",
    format: "JSONCompactEachRow",
    clickhouse_settings: { max_threads: 1 },
  });
  const readRows = async (): Promise<number> => {
    const [row] = await rowsOf<{ n: number }>(
      "SELECT toUInt32(read_rows) AS n FROM system.processes WHERE Settings['log_comment'] = 'paused'",
    );
    assert.ok(row !== undefined, "the statement must still be running");
    return row.n;
  };
  let seen = -1;
  await waitUntil(async () => {
    const before = seen;
    seen = await readRows();
    return seen > 0 && seen === before;
  });
  assert.ok(seen < 500_000);
  let rowCount = 0;
  for await (const rows of result.stream()) rowCount += rows.length;
  assert.equal(rowCount, 1_000_000);
});

test("an error in the middle of the rows does not look like their end", async () => {
  const query = "SELECT throwIf(number = 3000000, 'too far') AS x, number FROM numbers(4000000)";
  const result = await client.query({ query, format: "JSONEachRow", clickhouse_settings: { max_threads: 1 } });
  await assertCode(
    (async () => {
      for await (const rows of result.stream()) void rows;
    })(),
    395,
  );
  const raw = await send("/?max_threads=1", { body: `${query} FORMAT TSV` });
  assert.equal(raw.status, 200);
  assert.ok(raw.isCut);
  assert.match(raw.text, /__exception__\r\n[0-9a-f]{16}\r\nCode: 395.*too far.*\n\d+ [0-9a-f]{16}\r\n__exception__\r\n$/s);
});

test("an answer that is wanted whole is whole or an error with a status", async () => {
  const query = "SELECT throwIf(number = 3000000, 'too far') AS x, number FROM numbers(4000000)";
  const failed = await send("/?wait_end_of_query=1&max_threads=1", { body: `${query} FORMAT TSV` });
  assert.equal(failed.status, 500);
  assert.match(failed.text, /^Code: 395\..*too far/);
  const rows = await send("/?wait_end_of_query=1&default_format=JSON", { body: "SELECT number FROM numbers(300000)" });
  assert.equal(rows.status, 200);
  assert.match(rows.text, /"rows": 300000,/);
  assert.match(String(rows.headers["x-clickhouse-summary"]), /"read_rows":"300000"/);
});

test("an id that is running is refused, and free again when its statement was cancelled", async () => {
  const leaving = new AbortController();
  const long = client.query({
    query: "SELECT sum(number) FROM numbers(1000000000000)",
    query_id: "twice",
    abort_signal: leaving.signal,
  });
  const left = assert.rejects(long);
  await waitUntil(async () => (await runningIds()).includes("twice"));
  await assertCode(rowsOf("SELECT 1", { query_id: "twice" }), 216);
  leaving.abort();
  await left;
  await waitUntil(async () => !(await runningIds()).includes("twice"));
  await waitUntil(async () => (await send("/?query_id=twice", { body: "SELECT 1" })).status === 200);
});

test("an id goes from a cancelled statement to the next one, which its end does not hit", async () => {
  const next = async (): Promise<string> =>
    (await send("/?query_id=handed", { body: "SELECT sleepEachRow(0.02) FROM numbers(10) FORMAT Null" })).text;
  const query = "SELECT sleepEachRow(0.01) FROM numbers(100000) SETTINGS max_block_size = 1";
  for (let round = 0; round < 10;) {
    const leaving = new AbortController();
    let isOver = false;
    const left = client.query({ query, query_id: "handed", abort_signal: leaving.signal }).catch(() => (isOver = true));
    await waitUntil(async () => isOver || (await runningIds()).includes("handed"));
    if (isOver) continue; // The answer before held the id for a moment yet.
    round += 1;
    leaving.abort();
    await left;
    let text = "Code: 216";
    while (text.includes("Code: 216")) text = await next();
    assert.equal(text, "");
  }
});

test("KILL QUERY ends a statement by the id its client gave it", async () => {
  const killed = assertCode(rowsOf("SELECT sum(number) FROM numbers(1000000000000)", { query_id: "victim" }), 394);
  await waitUntil(async () => (await runningIds()).includes("victim"));
  await client.command({ query: "KILL QUERY WHERE query_id = 'victim' ASYNC" });
  await killed;
});

test("a client that leaves in the middle of its rows ends the statement", async () => {
  const result = await client.query({
    query: "SELECT number FROM numbers(1000000000000)",
    query_id: "leaver",
    format: "JSONEachRow",
  });
  for await (const rows of result.stream()) {
    assert.ok(rows.length > 0);
    break;
  }
  result.close();
  await waitUntil(async () => !(await runningIds()).includes("leaver"));
});

test("an INSERT that is cut off stores nothing and leaves nothing", async () => {
  await client.command({ query: "CREATE TABLE torn (a UInt32) ENGINE = MergeTree ORDER BY a" });
  await new Promise<void>((resolve) => {
    const outgoing = request(`${engine.url}/?query=INSERT+INTO+torn+FORMAT+CSV`, { method: "POST" });
    outgoing.on("error", () => resolve());
    outgoing.write("1\n2\n".repeat(100_000), () => outgoing.destroy());
  });
  await waitUntil(async () => (await readdir(join(dir, "engine", "spool"))).length === 0);
  assert.equal(await countOf("torn"), 0);
});

test("busy readers hold up neither an INSERT nor a ping", async () => {
  await client.command({ query: "CREATE TABLE beside (a UInt32) ENGINE = MergeTree ORDER BY a" });
  const leaving = new AbortController();
  const readers = Array.from({ length: 6 }, (_, i) =>
    assert.rejects(
      client.query({ query: `SELECT sum(number + ${i}) FROM numbers(1000000000000)`, abort_signal: leaving.signal }),
    ),
  );
  await waitUntil(async () => (await runningIds()).length >= 7);
  await client.insert({ table: "beside", values: [{ a: 1 }], format: "JSONEachRow" });
  assert.ok((await client.ping()).success);
  assert.equal(await countOf("beside"), 1);
  leaving.abort();
  await Promise.all(readers);
});

test("past its places and its queue the engine refuses instead of growing", async () => {
  const leaving = new AbortController();
  let refusedCount = 0;
  const work = Array.from({ length: 145 }, () =>
    assert.rejects(
      client.query({ query: "SELECT sum(number) FROM numbers(1000000000000)", abort_signal: leaving.signal }),
      (error: Error & { code?: string }) => {
        if (error.code === "202") refusedCount += 1;
        return true;
      },
    ),
  );
  await waitUntil(() => refusedCount === 5);
  leaving.abort();
  await Promise.all(work);
  assert.equal(refusedCount, 5);
  assert.deepEqual(await rowsOf("SELECT 1 AS x"), [{ x: 1 }]);
});
