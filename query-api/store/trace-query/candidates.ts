/** Traces that may be found by a TraceQL query, best first: they hold a span for each condition that is needed, as far as SQL can tell. */
import type { KnownResources } from "../../search/compile-attribute.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { compileQuery, type CompiledQuery } from "../../search/compile.ts";
import { isAlways, type Formula, type Plan } from "../../search/plan.ts";
import { instantSql, type Asking, type TimeRange } from "../range.ts";
import type { TraceKey, TraceSort } from "../trace-keys.ts";

export interface CandidateQuestion {
  readonly plan: Plan;
  readonly sort: TraceSort;
  /** Where the spans that are found start. */
  readonly window: TimeRange;
  /** Where the spans that they need beside them start, and what is asked of their traces as a whole is held to. */
  readonly around: TimeRange;
  /** Spans with a better key are not looked at: no trace that is still wanted has its best span among them. */
  readonly keyMax: bigint | null;
  /** Candidates that stand behind it alone: the last of the answer to the same question before. */
  readonly behind: TraceKey | null;
  /** Of the spans in its range. */
  readonly resources: KnownResources | null;
  readonly countMax: number;
  readonly timeoutMs: number;
}

export interface Candidate extends TraceKey {
  /** The first and the last start of its spans that may be found. */
  readonly fromNano: bigint;
  readonly toNano: bigint;
}

interface CandidateRow {
  readonly id: string;
  readonly best: string;
  readonly first: string;
  readonly last: string;
}

/**
 * The sets of the needed traces may be large: asking the bloom filters of every granule for each member of such a set would take
 * longer than reading the column.
 */
const SETTINGS = { use_index_for_in_with_subqueries_max_values: 200 };

const IS_AROUND = `start >= ${instantSql("aroundFrom")} AND start < ${instantSql("aroundTo")}`;

const KEY_SQL: Readonly<Record<TraceSort, string>> = { newest: "toUnixTimestamp64Nano(start)", slowest: "duration_nano" };

export async function findCandidates(
  question: CandidateQuestion,
  { database, signal }: Asking,
): Promise<{ candidates: Candidate[]; scan: ScanFigures }> {
  const { plan, sort, window, keyMax, behind } = question;
  const filters = compileFilters(question);
  const found = compileFormula(plan.found, (filter) => filters[filter]?.where ?? "0");
  const needed = compileNeeded(question, filters);
  const keyType = sort === "newest" ? "Int64" : "UInt64";
  const bound = keyMax === null ? "1" : `${KEY_SQL[sort]} <= {keyMax:${keyType}}`;
  const isBehind = `(best, trace_id) < ({behindKey:${keyType}}, toFixedString(unhex({behindId:String}), 16))`;
  const { rows, scan } = await database.query<CandidateRow>(
    `SELECT lower(hex(trace_id)) AS id, max(${KEY_SQL[sort]}) AS best,
       toUnixTimestamp64Nano(min(start)) AS first, toUnixTimestamp64Nano(max(start)) AS last
     FROM spans
     WHERE start >= ${instantSql("windowFrom")} AND start < ${instantSql("windowTo")} AND ${bound} AND ${found} AND ${needed}
     GROUP BY trace_id ${behind === null ? "" : `HAVING ${isBehind}`}
     ORDER BY best DESC, trace_id DESC LIMIT ${question.countMax}`,
    {
      params: Object.assign(
        {
          windowFrom: window.from.toString(),
          windowTo: window.to.toString(),
          aroundFrom: question.around.from.toString(),
          aroundTo: question.around.to.toString(),
          ...(keyMax === null ? {} : { keyMax: keyMax.toString() }),
          ...(behind === null ? {} : { behindKey: behind.key.toString(), behindId: behind.traceId }),
        },
        ...filters.map(({ params }) => params),
      ),
      signal,
      timeoutMs: question.timeoutMs,
      settings: SETTINGS,
    },
  );
  const candidates = rows.map(({ id, best, first, last }) => ({
    traceId: id,
    key: BigInt(best),
    fromNano: BigInt(first),
    toNano: BigInt(last),
  }));
  return { candidates, scan };
}

function compileFilters({ plan, resources }: CandidateQuestion): CompiledQuery[] {
  const options = { traceScope: IS_AROUND, resources };
  return plan.filters.map((query, at) => compileQuery(query, { ...options, prefix: `f${at}x` }));
}

function compileFormula(formula: Formula, compile: (filter: number) => string): string {
  if (formula.kind === "filter") return compile(formula.filter);
  if (formula.items.length === 0) return "1";
  return `(${formula.items.map((item) => compileFormula(item, compile)).join(formula.kind === "and" ? " AND " : " OR ")})`;
}

/** What every span that is found meets by itself need not be looked for again. */
function compileNeeded({ plan }: CandidateQuestion, filters: readonly CompiledQuery[]): string {
  const met = new Set(itemsOf(plan.found).map((item) => JSON.stringify(item)));
  const rest = itemsOf(plan.needed).filter((item) => !met.has(JSON.stringify(item)));
  const elsewhere = (filter: number): string =>
    `trace_id IN (SELECT trace_id FROM spans WHERE ${IS_AROUND} AND ${filters[filter]?.where ?? "0"})`;
  return compileFormula({ kind: "and", items: rest.filter((item) => !isAlways(item)) }, elsewhere);
}

function itemsOf(formula: Formula): readonly Formula[] {
  return formula.kind === "and" ? formula.items : [formula];
}
