/**
 * What sets a selection of spans apart: counted on the server over a sample of both sides - the newest of the selection, and of the rest
 * what starts in short windows spread over the same time, which keeps most granules unread.
 */
import type { OutlierField, OutliersAnswer } from "@callchain/schemas/api/analysis.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { unixNano, type UnixNano } from "@callchain/schemas/span/time.ts";
import { rankFields, type SideCounts } from "../analysis/outliers.ts";
import { formatQuery, type Query } from "../search/query.ts";
import { compileInRange } from "./compile-in-range.ts";
import { askWithinLimits } from "./limits.ts";
import { fieldsOf, isLeftOut } from "./outlier-fields.ts";
import { countAttributes, countColumns, countDurations, countNumbers, type OutlierSample } from "./outlier-counts.ts";
import { IN_RANGE, buildScan, instantSql, rangeParams, type Asking, type TimeRange } from "./range.ts";

/** Spans looked at of each side. */
const SELECTION_COUNT_MAX = 10_000;
const REST_COUNT_MAX = 30_000;
/** Over which the rest's sample is spread. */
const WINDOW_COUNT = 64n;
const TIMEOUT_MS = 10_000;
const FIELD_COUNT_MAX = 100;

export interface OutliersQuestion {
  readonly range: TimeRange;
  readonly query: Query;
  readonly selection: Query;
  /** Narrow the selection alone in time, as a box in a heatmap does; null: no further than the range. */
  readonly selectionFrom: UnixNano | null;
  readonly selectionTo: UnixNano | null;
}

/** Throws Failure "timeout" or "overloaded" where even a sixteenth of the range is too much for the limits in force. */
export async function findOutliers(question: OutliersQuestion, asking: Asking): Promise<OutliersAnswer> {
  const startedMs = performance.now();
  const { answer, reasons } = await askWithinLimits(question.range, asking, (range) =>
    findOutliersIn({ ...question, range }, asking),
  );
  const { scans, partialReasons, ...rest } = answer;
  return {
    query: formatQuery(question.query),
    selection: formatQuery(question.selection),
    ...rest,
    leftOut: fieldsOf(question.selection).map(({ text }) => text),
    scan: buildScan(scans, startedMs, [...reasons, ...partialReasons]),
  };
}

interface FoundOutliers extends Omit<OutliersAnswer, "query" | "selection" | "leftOut" | "scan"> {
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

async function findOutliersIn(question: OutliersQuestion, asking: Asking): Promise<FoundOutliers> {
  const sample = await chooseSample(question, asking);
  const columns = await countColumns(sample, asking);
  const totals = columns.totals;
  const parts =
    totals.selection === 0 || totals.rest === 0
      ? []
      : await Promise.all([
          countAttributes("attr_word", sample, totals, asking),
          countAttributes("attr_string", sample, totals, asking),
          countAttributes("attr_json", sample, totals, asking),
          countNumbers("attr_int", sample, totals, asking),
          countNumbers("attr_double", sample, totals, asking),
          countDurations(sample, totals, asking),
        ]);
  const named = fieldsOf(question.selection);
  const all = [columns, ...parts].flatMap(({ fields }) => fields).filter(({ field }) => !isLeftOut(field, named));
  const fields: OutlierField[] = rankFields(all);
  const reasons = [...sample.partialReasons];
  if (fields.length > FIELD_COUNT_MAX) reasons.push(`The first ${FIELD_COUNT_MAX} of ${fields.length} fields are here.`);
  return {
    selectionSpanCount: sample.counted.selection,
    restSpanCount: sample.counted.rest,
    sample: {
      selectionSpanCount: totals.selection,
      restSpanCount: totals.rest,
      fromNano: sample.from.toString(),
      toNano: question.range.to.toString(),
    },
    fields: fields.slice(0, FIELD_COUNT_MAX),
    scans: [...sample.scans, columns.scan, ...parts.map(({ scan }) => scan)],
    partialReasons: reasons,
  };
}

interface ChosenSample extends OutlierSample {
  readonly from: UnixNano;
  /** All spans of both sides in the range. */
  readonly counted: SideCounts;
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

async function chooseSample(question: OutliersQuestion, asking: Asking): Promise<ChosenSample> {
  const { range, selectionFrom, selectionTo } = question;
  const { database, signal } = asking;
  const inQuery = await compileInRange(question.query, range, asking, "q");
  const inSelection = await compileInRange(question.selection, range, asking, "s");
  const selected = [
    `(${inSelection.where})`,
    ...(selectionFrom === null ? [] : [`start >= ${instantSql("selectionFrom")}`]),
    ...(selectionTo === null ? [] : [`start < ${instantSql("selectionTo")}`]),
  ].join(" AND ");
  const bound = {
    ...inQuery.params,
    ...inSelection.params,
    ...(selectionFrom === null ? {} : { selectionFrom: selectionFrom.toString() }),
    ...(selectionTo === null ? {} : { selectionTo: selectionTo.toString() }),
  };
  const scans = [...inQuery.scans, ...inSelection.scans];
  const countSides = async (from: UnixNano): Promise<SideCounts> => {
    const options = { params: { ...bound, ...rangeParams({ from, to: range.to }) }, signal, timeoutMs: TIMEOUT_MS };
    const count = async (more: string): Promise<number> => {
      const { rows, scan } = await database.query<{ n: string }>(
        `SELECT count() AS n FROM spans WHERE ${IN_RANGE} AND (${inQuery.where})${more}`,
        options,
      );
      scans.push(scan);
      return Number(rows[0]?.n ?? 0);
    };
    // Each as a condition: indexes serve those, and the server looks at its limits more often than within a list of columns.
    const [all, selection] = await Promise.all([count(""), count(` AND ${selected}`)]);
    return { selection, rest: all - selection };
  };
  const counted = await countSides(range.from);
  let from = range.from;
  let inSample = counted;
  if (counted.selection > SELECTION_COUNT_MAX) {
    const { rows, scan } = await database.query<{ since: string }>(
      `SELECT toString(toUnixTimestamp64Nano(start)) AS since FROM spans WHERE ${IN_RANGE} AND (${inQuery.where}) AND ${selected}
       ORDER BY start DESC LIMIT 1 OFFSET ${SELECTION_COUNT_MAX - 1}`,
      { params: { ...bound, ...rangeParams(range) }, signal, timeoutMs: TIMEOUT_MS },
    );
    scans.push(scan);
    from = unixNano(BigInt(rows[0]?.since ?? range.from));
    inSample = await countSides(from);
  }
  const periodNano = (range.to - from) / WINDOW_COUNT + 1n;
  const isAll = inSample.rest <= REST_COUNT_MAX;
  const windowNano = isAll ? periodNano : (periodNano * BigInt(REST_COUNT_MAX)) / BigInt(inSample.rest) + 1n;
  const isCut = !isAll || inSample !== counted;
  return {
    from,
    counted,
    selectedSql: selected,
    whereSql: `${IN_RANGE} AND (${inQuery.where}) AND ((${selected}) OR (toUnixTimestamp64Nano(start) - {from:Int64}) % {periodNano:Int64} < {windowNano:Int64})`,
    params: {
      ...bound,
      ...rangeParams({ from, to: range.to }),
      periodNano: periodNano.toString(),
      windowNano: windowNano.toString(),
    },
    scans,
    partialReasons: isCut
      ? [
          `A sample was looked at: the newest ${inSample.selection} spans of the selection, and about ${Math.min(REST_COUNT_MAX, inSample.rest)} of the rest from the same time.`,
        ]
      : [],
  };
}
