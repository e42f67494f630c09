/**
 * Spans for questions about single spans - figures over time, a heatmap, what sets some apart - chosen by any TraceQL query. Where it relates
 * spans or has a pipeline, candidate traces are evaluated newest first, and the spans found stand in for the query.
 */
import type { Scan } from "@callchain/schemas/api/common.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { planQuery, type Formula, type Plan } from "../search/plan.ts";
import { listFields, type ChosenSpans, type Field, type Query } from "../search/query.ts";
import { asSpanQuery, formatTraceQuery, type TraceQuery } from "../search/trace-query.ts";
import type { Asking, TimeRange } from "./range.ts";
import { findResources } from "./resources.ts";
import { findByQuery, widen } from "./trace-query/find.ts";

export interface Choice {
  readonly query: Query;
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

/** They go to the server as text, 82 bytes each. */
const CHOSEN_COUNT_MAX = 50_000;

interface Chosen {
  readonly startNano: bigint;
  readonly digits: string;
}

/** What is beyond the limits of evaluation is left out from the oldest on, and said. Throws what the database throws. */
export async function chooseSpans(query: TraceQuery, range: TimeRange, asking: Asking): Promise<Choice> {
  const ofSpans = asSpanQuery(query);
  if (ofSpans !== null) return { query: ofSpans, scans: [], partialReasons: [] };
  const plan = planQuery(query);
  // What lies a little beyond the range is no less the parent of a span in it.
  const relatedRange = widen(range);
  const known = await findResources(plan.filters, relatedRange, asking);
  const chosen = new NewestSpans(CHOSEN_COUNT_MAX);
  const finding = await findByQuery(
    {
      plan,
      range,
      relatedRange,
      sort: "newest",
      wanted: Infinity,
      after: null,
      resources: known.resources,
      onFound: (traceId, spans) => {
        for (const { spanId, kind, startNano, durationNano } of spans)
          if (startNano >= range.from && startNano < range.to)
            chosen.add({ startNano, digits: `${traceId}${spanId}${hex(kind, 1)}${hex(startNano, 8)}${hex(durationNano, 8)}` });
      },
    },
    asking,
  );
  const { spans, since } = chosen.since(finding.reachedNano === null ? range.from : finding.reachedNano + 1n);
  const reason =
    since >= range.to
      ? "Looking for the traces that could match took longer than it may."
      : `Only spans that start at ${since} ns or later are here, since too many traces could match, or too many spans do.`;
  return {
    query: {
      expression: { kind: "chosen", spans: { ...listSpans(spans), text: formatTraceQuery(query), fields: fieldsFound(plan) } },
    },
    scans: [...known.scans, ...finding.scans],
    partialReasons: [...(since > range.from ? [`${reason} Narrow the time range or the query.`] : []), ...finding.cutReasons],
  };
}

/** An answer about chosen spans, with what choosing them took. */
export function withChoice<A extends { readonly scan: Scan }>({ scans, partialReasons }: Choice, answer: A): A {
  const { scan } = answer;
  const reasons = [...partialReasons, ...(scan.partialReason === null ? [] : [scan.partialReason])];
  return {
    ...answer,
    scan: {
      rows: scans.reduce((sum, { rows }) => sum + rows, scan.rows),
      bytes: scans.reduce((sum, { bytes }) => sum + bytes, scan.bytes),
      elapsedMs: scans.reduce((sum, { elapsedMs }) => sum + elapsedMs, scan.elapsedMs),
      partial: reasons.length > 0,
      partialReason: reasons.length > 0 ? reasons.join(" ") : null,
    },
  };
}

/** The newest of what is added, `countMax` at most: all that start at `since` or later. */
export class NewestSpans {
  readonly #countMax: number;
  #spans: Chosen[] = [];
  /** What starts here or earlier was left out. */
  #since = -1n;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  add(span: Chosen): void {
    if (span.startNano > this.#since && this.#spans.push(span) > 2 * this.#countMax) this.#cut();
  }

  /** Those from `reached` on; `since` is no earlier. */
  since(reached: bigint): { readonly spans: readonly Chosen[]; readonly since: bigint } {
    if (this.#spans.length > this.#countMax) this.#cut();
    const since = this.#since + 1n > reached ? this.#since + 1n : reached;
    return { spans: this.#spans.filter(({ startNano }) => startNano >= since), since };
  }

  #cut(): void {
    const sorted = this.#spans.toSorted((a, b) => (a.startNano < b.startNano ? 1 : -1));
    this.#since = sorted[this.#countMax]?.startNano ?? this.#since;
    this.#spans = sorted.slice(0, this.#countMax).filter(({ startNano }) => startNano > this.#since);
  }
}

function hex(value: number | bigint, bytes: number): string {
  return value.toString(16).padStart(2 * bytes, "0");
}

/** Of the conditions that a span which is found may meet. */
function fieldsFound({ found, filters }: Plan): Field[] {
  const within = (formula: Formula): Field[] =>
    formula.kind === "filter" ? listFields(filters[formula.filter]?.expression ?? null) : formula.items.flatMap(within);
  return within(found);
}

function listSpans(spans: readonly Chosen[]): Pick<ChosenSpans, "count" | "digits" | "fromNano" | "toNano"> {
  return {
    count: spans.length,
    digits: spans.map(({ digits }) => digits).join(""),
    fromNano: spans.reduce((least, { startNano }) => (startNano < least ? startNano : least), spans[0]?.startNano ?? 0n),
    toNano: spans.reduce((most, { startNano }) => (startNano > most ? startNano : most), 0n),
  };
}
