/** What the engine takes for the same rows: read and forgotten, into a bare table, and into the real one with its indexes and merges. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { openDatabase, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { insertSpans, readNextOffset } from "@callchain/schemas/clickhouse/insert-spans.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { SPAN_COLUMNS } from "@callchain/schemas/clickhouse/spans-table.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { corpusRequests } from "./corpus.ts";
import { cpuSecondsOf, familyOf, pin } from "./proc.ts";
import { SYSTEM_CORE } from "./peers/system.ts";

const ROWS_PER_BLOCK = 200_000;
const TODAY = 20_779;
const COLUMNS = SPAN_COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ");
const INGEST_TABLES = { null: `ENGINE = Null`, bare: "ENGINE = MergeTree ORDER BY start" } as const;

export interface InsertCost {
  /** Of the engine, in seconds a million spans. */
  readonly null: number;
  readonly bare: number;
  readonly spans: number;
  /** The same until its merges have come to rest. */
  readonly spansSettled: number;
  /** Of this process: sending one block's bytes. */
  readonly sending: number;
}

/** Each figure over `blockCount` blocks of 200,000 spans, the engine pinned to one core. */
export async function measureInserts(blockCount: number): Promise<InsertCost> {
  const dataDir = await mkdtemp(join(tmpdir(), "callchain-limit-"));
  const log = openLog("bench", "error");
  const engine = await startEmbeddedClickHouse({ dataDir, address: { host: "127.0.0.1", port: 0 }, log });
  const database = openDatabase({ url: engine.url, role: "writer" });
  try {
    await migrate(database, log);
    const pids = familyOf(engine.pid ?? 0);
    if (!pin(pids, SYSTEM_CORE)) throw new Error("taskset could not pin the engine (util-linux is needed)");
    const cost: Record<"null" | "bare" | "spans", number> = { null: 0, bare: 0, spans: 0 };
    let sending = 0;
    for (const [name, storage] of Object.entries(INGEST_TABLES)) {
      await database.command(`CREATE TABLE limit_${name} (${COLUMNS}) ${storage}`);
    }
    for (const [name, insert] of Object.entries(inserts(database))) {
      const before = cpuSecondsOf(pids);
      let rows = 0;
      for (const block of blocks(blockCount)) {
        const own = process.cpuUsage();
        await insert(block);
        const used = process.cpuUsage(own);
        sending += name === "spans" ? (used.user + used.system) / 1e6 : 0;
        rows += block.rows;
      }
      // as: the names of the object that is walked
      cost[name as keyof typeof cost] = ((cpuSecondsOf(pids) - before) / rows) * 1e6;
    }
    const before = cpuSecondsOf(pids);
    await settle(database);
    const millions = (blockCount * ROWS_PER_BLOCK) / 1e6;
    return { ...cost, spansSettled: cost.spans + (cpuSecondsOf(pids) - before) / millions, sending: sending / millions };
  } finally {
    await database.close();
    await engine.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

type Insert = (block: Built) => Promise<void>;

function inserts(database: SpanDatabase): Record<"null" | "bare" | "spans", Insert> {
  const into =
    (table: string): Insert =>
    ({ body }) =>
      database.insert(`INSERT INTO ${table} FORMAT Native`, body, {
        settings: { async_insert: 0, max_threads: 1, max_insert_threads: 1 },
      });
  return {
    null: into("limit_null"),
    bare: into("limit_bare"),
    spans: async ({ body }) => {
      const expectedNext = await readNextOffset(database, 0);
      await insertSpans(database, { partition: 0, expectedNext, body, queryId: "limit", timeoutMs: 60_000 });
    },
  };
}

interface Built {
  readonly body: Uint8Array[];
  readonly rows: number;
}

function* blocks(count: number): Generator<Built> {
  const block = new SpanBlock();
  const requestCount = Math.ceil((count * ROWS_PER_BLOCK) / 512) + count;
  let [offset, made] = [0n, 0];
  for (const value of corpusRequests({ requestCount, spansPerRequest: 512, seed: 7 })) {
    block.append({ partition: 0, offset, value });
    offset += 1n;
    if (block.rowCount < ROWS_PER_BLOCK) continue;
    yield { body: block.encode(TODAY), rows: block.rowCount };
    made += 1;
    if (made === count) return;
    block.reset();
  }
}

async function settle(database: SpanDatabase): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { rows } = await database.query<{ n: string }>("SELECT count() AS n FROM system.merges");
    quiet = rows[0]?.n === "0" ? quiet + 1 : 0;
  }
}
