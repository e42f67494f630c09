/**
 * `npm run bench -- storage [million spans] [variant]`: what storing costs, on the real path: Native blocks of the corpus through the
 * writer's own INSERT into the embedded engine over HTTP, engine and merges on one pinned core. A variant is a change to the DDL.
 * Prints a ledger: CPU s per 1M spans (inserts with the merges beside them, then until merges rest), bytes a span by column and index,
 * and p50/p95 of three questions with the query condition cache off.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { openDatabase, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { insertSpans, readNextOffset } from "@callchain/schemas/clickhouse/insert-spans.ts";
import { listMigrations } from "@callchain/schemas/clickhouse/migrate.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { corpusRequests } from "./corpus.ts";
import { cpuSecondsOf, familyOf, pin, rssBytesOf } from "./proc.ts";

type Change = (ddl: string) => string;

const replacing =
  (from: string | RegExp, to: string): Change =>
  (ddl) => {
    const changed = ddl.replace(from, to);
    if (changed === ddl) throw new Error(`the DDL has nothing like ${String(from)}`);
    return changed;
  };
const BLOOM = /INDEX attr_string_bloom [^\n]*,/;
const SETTING = "merge_selector_base = 10";
const GRANULES = "index_granularity = 2048";
const ORDER = /ORDER BY .*/;

const text = replacing(
  BLOOM,
  `items Array(String) ALIAS arrayConcat(arrayMap((k, v) -> concat(k, '\\xFF', v), mapKeys(attr_string), mapValues(attr_string)),
     arrayMap((k, v) -> concat(k, '\\xFE', toString(v)), mapKeys(attr_int), mapValues(attr_int))),
   INDEX items_text items TYPE text(tokenizer = 'array'),`,
);
const granules = (rows: number): Change => replacing(GRANULES, `index_granularity = ${rows}`);
/** The setting stands before the engine's own choice by the size of a part. */
const codec = (name: string): Change => replacing(SETTING, `${SETTING}, default_compression_codec = '${name}'`);

/** How each variant finds spans by `user.id`: a variant is asked through its own index. */
const BY_MAP = "attr_string['user.id'] = {user:String}";
const BY_TEXT = "hasAllTokens(items, [concat('user.id', '\\xFF', {user:String})])";

interface Variant {
  readonly change: Change;
  readonly byUser: string;
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  shipped: { change: (ddl) => ddl, byUser: BY_MAP },
  "no bloom": { change: replacing(BLOOM, ""), byUser: BY_MAP },
  "granules of 8192": { change: granules(8192), byUser: BY_MAP },
  "text index": { change: (ddl) => granules(8192)(text(ddl)), byUser: BY_TEXT },
  "merge base 5 (default)": { change: replacing(SETTING, "merge_selector_base = 5"), byUser: BY_MAP },
  "order of time": { change: replacing(ORDER, "ORDER BY start"), byUser: BY_MAP },
  "stretches of an hour": { change: replacing("(start), 600)", "(start), 3600)"), byUser: BY_MAP },
  "ZSTD(1) in every part": { change: codec("ZSTD(1)"), byUser: BY_MAP },
  "LZ4 in every part": { change: codec("LZ4"), byUser: BY_MAP },
};

const ROWS_PER_BLOCK = 200_000;
const NO_CACHE = { use_query_condition_cache: 0 };

interface Built {
  readonly body: Uint8Array[];
  readonly rows: number;
  readonly end: bigint;
}

function* blocks(total: number): Generator<Built> {
  const block = new SpanBlock();
  let offset = 0n;
  const day = 86_400_000_000_000n;
  for (const value of corpusRequests({ requestCount: Math.ceil(total / 512), spansPerRequest: 512, seed: 7, rangeNano: day })) {
    block.append({ partition: 0, offset, value });
    offset += 1n;
    if (block.rowCount < ROWS_PER_BLOCK) continue;
    yield { body: block.encode(20_779), rows: block.rowCount, end: offset };
    block.reset();
  }
}

async function ask(
  database: SpanDatabase,
  name: string,
  sql: string,
  run: (index: number) => Record<string, unknown>,
): Promise<string> {
  const times: number[] = [];
  let rows = 0;
  for (let index = 0; index < 30; index += 1) {
    const params = run(index);
    const startedMs = performance.now();
    rows += (await database.query(sql, { params, settings: NO_CACHE })).rows.length;
    times.push(performance.now() - startedMs);
  }
  times.sort((a, b) => a - b);
  return `${name} p50 ${times[15]?.toFixed(0)} p95 ${times[28]?.toFixed(0)} ms (${(rows / 30).toFixed(0)} rows)`;
}

async function questions(database: SpanDatabase, byUser: string): Promise<string[]> {
  const { rows } = await database.query<{ id: string; user: string; service: string }>(
    `SELECT lower(hex(trace_id)) AS id, attr_string['user.id'] AS user, service FROM spans
     WHERE mapContains(attr_string, 'user.id') ORDER BY cityHash64(span_id) LIMIT 30`,
  );
  const at = (index: number): Record<string, unknown> => ({ ...rows[index % rows.length] });
  return [
    await ask(database, "trace by id", "SELECT span_id, name FROM spans WHERE trace_id = unhex({id:String})", at),
    await ask(
      database,
      "newest 20 of a service",
      "SELECT trace_id FROM spans WHERE service = {service:String} ORDER BY start DESC LIMIT 20",
      at,
    ),
    await ask(database, "user.id equality", `SELECT trace_id FROM spans WHERE ${byUser} ORDER BY start DESC LIMIT 20`, at),
  ];
}

async function settle(database: SpanDatabase): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { rows } = await database.query<{ n: string }>("SELECT count() AS n FROM system.merges");
    quiet = rows[0]?.n === "0" ? quiet + 1 : 0;
  }
}

/** Of one merged part: the sizes by column leave compact parts out. */
async function sizes(database: SpanDatabase, count: number): Promise<string> {
  await database.command("OPTIMIZE TABLE spans FINAL");
  const sql = (table: string): string =>
    `SELECT name, round(data_compressed_bytes / ${count}, 2) AS size FROM system.${table} WHERE table = 'spans' AND size > 0.3 ORDER BY size DESC`;
  const found = [
    ...(await database.query<{ name: string; size: number }>(sql("columns"))).rows,
    ...(await database.query<{ name: string; size: number }>(sql("data_skipping_indices"))).rows,
  ];
  return found.map(({ name, size }) => `${name} ${size}`).join(", ");
}

async function measure(name: string, { change, byUser }: Variant, total: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "callchain-storage-"));
  const log = openLog("bench", "error");
  const engine = await startEmbeddedClickHouse({ dataDir, address: { host: "127.0.0.1", port: 0 }, log });
  const database = openDatabase({ url: engine.url, role: "writer" });
  try {
    for (const { statements } of await listMigrations()) {
      for (const statement of statements)
        await database.command(statement.includes("TABLE IF NOT EXISTS spans") ? change(statement) : statement);
    }
    const pids = familyOf(engine.pid ?? 0);
    if (!pin(pids, 1)) throw new Error("taskset could not pin the engine (util-linux is needed)");
    const startCpu = cpuSecondsOf(pids);
    let count = 0;
    let rssPeak = 0;
    const insertMs: number[] = [];
    for (const { body, rows } of blocks(total)) {
      const expectedNext = await readNextOffset(database, 0);
      const startedMs = performance.now();
      await insertSpans(database, { partition: 0, expectedNext, body, queryId: "bench", timeoutMs: 60_000 });
      insertMs.push(performance.now() - startedMs);
      rssPeak = Math.max(rssPeak, rssBytesOf(pids));
      count += rows;
    }
    const insertCpu = cpuSecondsOf(pids) - startCpu;
    await settle(database);
    const allCpu = cpuSecondsOf(pids) - startCpu;
    const { rows: parts } = await database.query<{ bytes: string; parts: string }>(
      "SELECT sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts WHERE active AND table = 'spans'",
    );
    insertMs.sort((a, b) => a - b);
    process.stdout.write(
      `${name}: CPU s per 1M ${((insertCpu / count) * 1e6).toFixed(2)} while inserting, ${((allCpu / count) * 1e6).toFixed(2)} at rest; ` +
        `${(Number(parts[0]?.bytes) / count).toFixed(1)} B/span; ${parts[0]?.parts} parts; insert median ${insertMs[insertMs.length >> 1]?.toFixed(0)} ms; ` +
        `engine RSS peak ${(rssPeak / 2 ** 20).toFixed(0)} MiB; ${count} spans\n`,
    );
    for (const line of await questions(database, byUser)) process.stdout.write(`    ${line}\n`);
    process.stdout.write(`    B/span: ${await sizes(database, count)}\n`);
  } finally {
    await database.close();
    await engine.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

export async function runStorageBench(args: readonly string[]): Promise<void> {
  const total = Number(args[0] ?? 5) * 1e6;
  const only = args[1];
  for (const [name, variant] of Object.entries(VARIANTS))
    if (only === undefined || name === only) await measure(name, variant, total);
}
