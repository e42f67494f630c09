/** What sets a selection of spans apart: counted on the server over a sample of both sides. */
import type { OutlierField, OutliersAnswer } from "@callchain/schemas/api/analysis.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { rankFields } from "../analysis/outliers.ts";
import { formatQuery } from "../search/query.ts";
import { askWithinLimits } from "./limits.ts";
import { fieldsOf, isLeftOut } from "./outlier-fields.ts";
import { countAttributes, countColumns, countDurations, countNumbers } from "./outlier-counts.ts";
import { chooseSample, type OutliersQuestion } from "./outlier-sample.ts";
import { buildScan, type Asking } from "./range.ts";

const FIELD_COUNT_MAX = 100;

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
  const [columns, durations] = await Promise.all([countColumns(sample, asking), countDurations(sample, asking)]);
  const totals = columns.totals;
  const attributes =
    totals.selection === 0 || totals.rest === 0
      ? null
      : await Promise.all([
          countAttributes("plain", sample, totals, asking),
          countAttributes("json", sample, totals, asking),
          countNumbers("attr_int", sample, totals, asking),
          countNumbers("attr_double", sample, totals, asking),
        ]);
  const parts = attributes === null ? [columns] : [columns, durations, ...attributes];
  const named = fieldsOf(question.selection);
  const all = parts.flatMap(({ fields }) => fields).filter(({ field }) => !isLeftOut(field, named));
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
    scans: [...sample.scans, ...parts.map(({ scan }) => scan)],
    partialReasons: reasons,
  };
}
