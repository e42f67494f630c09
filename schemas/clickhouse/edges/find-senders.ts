/** Where the senders of messages are that are not among the spans that were read. */
import type { QueryOptions, SpanDatabase } from "../database.ts";
import { traceIdSql } from "../id-sql.ts";
import { beforeOf, sortedOnce, type IdSlots } from "./counted-ids.ts";
import { readIdSlots } from "./read-id-slots.ts";
import {
  HAS_PARENT,
  PARENT,
  REACH_NANO,
  SELF,
  SKEW_NANO,
  startsIn,
  startsSince,
  subtractStretches,
  type EdgeScope,
  type Stretch,
} from "./scope.ts";
import { REMEMBERED_SENDERS, type KnownSteps } from "./step-memory.ts";

export const LINKED_IDS = "arrayMap((trace, span) -> cityHash64(trace, span), link_trace_id, link_span_id)";
/** Spans that a message may have come from, by the parent (consumers only) and the links. */
const ABOVE_IDS = `arrayConcat(if(kind = 5 AND ${HAS_PARENT}, [${PARENT}], []), ${LINKED_IDS})`;
export const MAY_RECEIVE = "(kind = 5 OR (kind IN (0, 1, 2) AND notEmpty(link_span_id)))";
/** So many ids are written out; more are found again by the server. */
const WRITTEN_ID_COUNT_MAX = 5_000;
/** Of so many spans the bloom filters of trace ids are asked, a quarter of the time of looking at everything; of 250 they take as long as that. */
const FILTERED_COUNT_MAX = 100;

export interface SenderSearch {
  /** By their ids: their trace ids in hex. */
  readonly wanted: ReadonlyMap<bigint, string>;
  readonly stretches: readonly Stretch[];
  /** Condition on where they were counted. */
  readonly context: string;
}

/** Of the context the senders that are wanted. `sources` are those of the context. */
export function sendingSource(
  { wanted, stretches, context }: SenderSearch,
  fresh: string,
  sources: readonly string[],
): string | null {
  if (wanted.size === 0 || stretches.length === 0) return null;
  const again = [fresh, ...sources]
    .map((source) => `SELECT arrayJoin(${ABOVE_IDS}) FROM spans PREWHERE ${source} AND ${MAY_RECEIVE}`)
    .join(" UNION ALL ");
  const ids = wanted.size <= WRITTEN_ID_COUNT_MAX ? [...wanted.keys()].join(", ") : again;
  const isInTrace =
    wanted.size <= FILTERED_COUNT_MAX ? ` AND trace_id IN (${[...new Set(wanted.values())].map(traceIdSql).join(", ")})` : "";
  return `kind = 4${isInTrace} AND ${SELF} IN (${ids}) AND ${startsIn(stretches)} AND ${context}`;
}

interface MissingSenders {
  /** By their ids: their trace ids in hex. Who is found leaves it between two searches. */
  readonly missing: ReadonlyMap<bigint, string>;
  readonly scope: EdgeScope;
  readonly context: string;
  readonly known: KnownSteps | undefined;
}

/** So many are looked for among all spans. */
export function areMany(wanted: ReadonlyMap<bigint, string>): boolean {
  return wanted.size > FILTERED_COUNT_MAX;
}

/** One place to look after the other. */
export async function planSearches(
  database: SpanDatabase,
  { missing, scope, context, known }: MissingSenders,
  options: QueryOptions,
): Promise<SenderSearch[]> {
  const { senders, near } = scope;
  const since = known === undefined ? null : await knownSince(database, known, missing, senders, context, options);
  if (known !== undefined && since !== null) {
    const { ids, stretches } = known.memory.senders.locate(sortedOnce([...missing.keys()].map(halfOf)), senders);
    const located = new Map([...missing].filter(([id]) => ids.has(halfOf(id))));
    return [
      { wanted: located, stretches, context },
      { wanted: missing, stretches: beforeOf(senders, since), context },
    ];
  }
  // Many were most likely sent shortly before they were received; then the rest of the hour is looked through for the others only.
  const first = areMany(missing) ? near : [];
  return [first, subtractStretches(senders, first)].map((stretches) => ({ wanted: missing, stretches, context }));
}

const halfOf = (id: bigint): number => Number(id & 0xffff_ffffn);

/** The messages of some minutes were sent in the hour before and received in the hour after. */
const SENT_NANO = 2n * (REACH_NANO + SKEW_NANO) + 60n * 1_000_000_000n;

/** Since when all senders are remembered. Where many are missing for the first time, those that were counted are read once. */
async function knownSince(
  database: SpanDatabase,
  { memory, step }: KnownSteps,
  missing: ReadonlyMap<bigint, string>,
  stretches: readonly Stretch[],
  context: string,
  options: QueryOptions,
): Promise<bigint | null> {
  const known = memory.senders.knownSince(step);
  const last = stretches.at(-1);
  if (known !== null || last === undefined || !areMany(missing)) return known;
  const earliest = last.to - SENT_NANO;
  const since = last.from > earliest ? last.from : earliest;
  const slots = await readCountedSenders(database, since, context, options);
  if (slots === null) return null;
  memory.senders.begin(step, since, slots);
  return since;
}

/** null where they are too many to be remembered. */
async function readCountedSenders(
  database: SpanDatabase,
  since: bigint,
  context: string,
  options: QueryOptions,
): Promise<IdSlots | null> {
  const { slots, rowCount } = await readIdSlots(
    database,
    `SELECT start, toUInt32(${SELF}) AS half FROM spans
     PREWHERE kind = 4 AND ${startsSince(since)} AND ${context} LIMIT ${REMEMBERED_SENDERS.idCountMax + 1}`,
    REMEMBERED_SENDERS,
    options,
  );
  return rowCount > REMEMBERED_SENDERS.idCountMax ? null : slots;
}
