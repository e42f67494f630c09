/** Repeated calls over many traces: the same call of the same caller counts together, whatever the trace. */
import type { SpanKind } from "@callchain/schemas/span/span.ts";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import { addExample } from "./cohort-path.ts";
import { KIND, type SpanColumns } from "./columns.ts";
import { findRepeats, type CallDetails, type Repeat, type RepeatPattern } from "./repeats.ts";
import type { CallTree } from "./tree.ts";

/** Durations kept per call for the median; further ones count in all else. */
const DURATION_COUNT_MAX = 10_000;

export interface RepeatedCall {
  readonly parentService: string | null;
  readonly parentName: string | null;
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly detail: string;
  spanCount: number;
  errorCount: number;
  totalNano: number;
  minNano: number;
  maxNano: number;
  costNano: number;
  parentCount: number;
  serialCount: number;
  traceCount: number;
  readonly durations: number[];
  /** `pathNano` is what the repetition costs there. */
  readonly examples: { readonly traceId: string; readonly pathNano: number }[];
}

export class RepeatedCallSums {
  readonly #calls = new Map<string, RepeatedCall>();

  add(traceId: string, columns: SpanColumns, details: CallDetails, tree: CallTree): void {
    const costs = new Map<RepeatedCall, number>();
    for (const repeat of findRepeats(columns, details, tree)) {
      const call = this.#callOf(repeat, columns, details, tree);
      count(call, repeat);
      costs.set(call, (costs.get(call) ?? 0) + repeat.costNano);
    }
    for (const [call, pathNano] of costs) {
      call.traceCount += 1;
      addExample(call.examples, { traceId, pathNano });
    }
  }

  /** Dearest first. */
  list(): RepeatedCall[] {
    return [...this.#calls.values()].toSorted((a, b) => b.costNano - a.costNano || b.spanCount - a.spanCount);
  }

  #callOf(repeat: Repeat, columns: SpanColumns, details: CallDetails, tree: CallTree): RepeatedCall {
    const row = tree.rows[repeat.members[0] ?? 0] ?? 0;
    const parentRow = repeat.parent < 0 ? -1 : (tree.rows[repeat.parent] ?? 0);
    const textOf = (texts: readonly string[], indexes: Uint32Array, at: number): string => texts[indexes[at] ?? 0] ?? "";
    const own = {
      parentService: parentRow < 0 ? null : textOf(columns.services, columns.service, parentRow),
      parentName: parentRow < 0 ? null : textOf(columns.names, columns.name, parentRow),
      service: textOf(columns.services, columns.service, row),
      name: textOf(columns.names, columns.name, row),
      kind: SPAN_KINDS[columns.kind[row] ?? 0] ?? "unspecified",
      detail: textOf(details.details, details.detail, row),
    };
    const key = JSON.stringify(Object.values(own));
    const sums = { spanCount: 0, errorCount: 0, totalNano: 0, minNano: Infinity, maxNano: 0, costNano: 0 };
    const call = this.#calls.get(key) ?? {
      ...own,
      ...sums,
      parentCount: 0,
      serialCount: 0,
      traceCount: 0,
      durations: [],
      examples: [],
    };
    this.#calls.set(key, call);
    return call;
  }
}

function count(call: RepeatedCall, { members, errorCount, totalNano, sortedNano, costNano, concurrencyMax }: Repeat): void {
  call.spanCount += members.length;
  call.errorCount += errorCount;
  call.totalNano += totalNano;
  call.minNano = Math.min(call.minNano, sortedNano[0] ?? 0);
  call.maxNano = Math.max(call.maxNano, sortedNano.at(-1) ?? 0);
  call.costNano += costNano;
  call.parentCount += 1;
  call.serialCount += concurrencyMax === 1 ? 1 : 0;
  for (const duration of sortedNano) if (call.durations.length < DURATION_COUNT_MAX) call.durations.push(duration);
}

/** As for one caller, where most of the callers call one after the other. */
export function patternOf({ kind, serialCount, parentCount, errorCount, spanCount }: RepeatedCall): RepeatPattern {
  if (SPAN_KINDS.indexOf(kind) !== KIND.client || serialCount * 2 <= parentCount) return null;
  return errorCount * 2 > spanCount ? "retries" : "repeated";
}
