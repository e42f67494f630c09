/**
 * Spans for questions about single spans - figures over time, a heatmap, what sets some apart - chosen by any TraceQL query. Where it relates
 * spans or has a pipeline, candidate traces are evaluated newest first, and the spans found stand in for the query.
 */
import type { Scan } from "@callchain/schemas/api/common.ts";
import { planQuery, type Formula, type Plan } from "../search/plan.ts";
import { CHOSEN_SPAN_DIGITS, listFields, type ChosenSpans, type Field, type Query } from "../search/query.ts";
import { asSpanQuery, formatTraceQuery, type TraceQuery } from "../search/trace-query.ts";
import { buildScan, joinScans, type Asking, type TimeRange } from "./range.ts";
import { findResources } from "./resources.ts";
import { findByQuery, widen } from "./trace-query/find.ts";

export interface Choice {
  readonly query: Query;
  readonly scan: Scan;
}

/** They go to the server as text, 16 bytes each, up to three times in a statement, which the embedded engine takes up to a megabyte of. */
const CHOSEN_COUNT_MAX = 20_000;

interface Chosen {
  readonly startNano: bigint;
  readonly digits: string;
}

/** What is beyond the limits of evaluation is left out from the oldest on, and said. Throws what the database throws. */
export async function chooseSpans(query: TraceQuery, range: TimeRange, asking: Asking): Promise<Choice> {
  const ofSpans = asSpanQuery(query);
  const startedMs = performance.now();
  if (ofSpans !== null) return { query: ofSpans, scan: buildScan([], startedMs) };
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
      onFound: (spans) => {
        for (const { startNano, hash } of spans)
          if (startNano >= range.from && startNano < range.to)
            chosen.add({ startNano, digits: hash.toString(16).padStart(CHOSEN_SPAN_DIGITS, "0") });
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
    scan: buildScan([...known.scans, ...finding.scans], startedMs, [
      ...(since > range.from ? [`${reason} Narrow the time range or the query.`] : []),
      ...finding.cutReasons,
    ]),
  };
}

/** An answer about chosen spans, with what choosing them took. */
export function withChoice<A extends { readonly scan: Scan }>(choice: Choice, answer: A): A {
  return { ...answer, scan: joinScans(choice.scan, answer.scan) };
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
