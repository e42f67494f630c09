/** Where spans were counted before that have to do with the traces of fresh ones. */
import type { QueryOptions, SpanDatabase } from "../database.ts";
import { failureCodeOf } from "../../span/errors.ts";
import { beforeOf } from "./counted-ids.ts";
import { readIdSlots } from "./read-id-slots.ts";
import { mergeStretches, startsSince, subtractStretches, type EdgeScope, type Stretch } from "./scope.ts";
import { REMEMBERED_TRACES, traceHalfSql, type KnownSteps } from "./step-memory.ts";

/** What is left of these stretches. */
export type Narrowing = (stretches: readonly Stretch[]) => readonly Stretch[];

/** With fewer fresh traces than these there is little around them to look through. */
const TRACE_COUNT_MIN = 500;
/** To remember the traces of what was counted, no more spans are read: 60 ns each, once. */
const READ_SPAN_COUNT_MAX = 20_000_000;
/** The engine plans longer for each place. */
const PLACE_COUNT_MAX = 16;

interface Relatives {
  readonly known: KnownSteps;
  readonly scope: EdgeScope;
  /** Of the fresh spans, as CountedIds has them. */
  readonly traces: Uint32Array;
}

/** To where these traces, or spans that link to them, were counted; where that is not known, all remains. */
export async function narrowToKnown(
  database: SpanDatabase,
  { known, scope, traces }: Relatives,
  options: QueryOptions,
): Promise<Narrowing> {
  const since =
    known.memory.traces.knownSince(known.step) ??
    (traces.length < TRACE_COUNT_MIN ? null : await beginToRemember(database, known, scope, options));
  if (since === null) return (stretches) => stretches;
  return (stretches) => {
    const before = beforeOf(stretches, since);
    const located = known.memory.traces.locate(traces, subtractStretches(stretches, before));
    const places = mergeStretches([...before, ...located.stretches]);
    return places.length <= PLACE_COUNT_MAX ? places : stretches;
  };
}

/** Reads once what was counted where most of the fresh spans are and after that. null: there is nothing to begin with, or too much. */
async function beginToRemember(
  database: SpanDatabase,
  { memory, step }: KnownSteps,
  { bulk, context }: EdgeScope,
  options: QueryOptions,
): Promise<bigint | null> {
  if (bulk === null || context === null) return null;
  const where = `PREWHERE ${startsSince(bulk.from)} AND ${context}`;
  const select = `SELECT start, ${traceHalfSql("trace_id")} AS half FROM spans ${where}
    UNION ALL SELECT start, ${traceHalfSql("arrayJoin(link_trace_id)")} AS half FROM spans ${where} AND notEmpty(link_trace_id)`;
  const settings = { ...options.settings, max_rows_to_read: READ_SPAN_COUNT_MAX };
  try {
    const { slots } = await readIdSlots(database, select, REMEMBERED_TRACES, { ...options, settings });
    memory.traces.begin(step, bulk.from, slots);
  } catch (error) {
    if (failureCodeOf(error) === "too_large") return null;
    throw error;
  }
  return memory.traces.knownSince(step);
}
