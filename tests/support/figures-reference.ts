/** What is known of a span with its trace at hand, and how numbers compare. Plain and slow on purpose. */
import type { Comparison, IntrinsicName } from "@callchain/query-api/search/query.ts";
import type { Span } from "@callchain/schemas/span/span.ts";

export function rootsOf(trace: readonly Span[]): Span[] {
  return trace.filter(({ parentSpanId }) => parentSpanId === null);
}

function missingIn(trace: readonly Span[]): ReadonlySet<string> {
  const ids = new Set<string>(trace.map(({ spanId }) => spanId));
  return new Set(trace.flatMap(({ parentSpanId: id }) => (id === null || ids.has(id) ? [] : [id])));
}

export function isComplete(trace: readonly Span[]): boolean {
  return rootsOf(trace).length === 1 && missingIn(trace).size === 0;
}

/** A number that is known with the whole trace at hand. */
export function figureOf(span: Span, trace: readonly Span[], name: IntrinsicName): bigint | number {
  const first = trace.reduce((least, { startNano }) => (startNano < least ? startNano : least), 2n ** 63n);
  const last = trace.map((one) => one.startNano + one.durationNano).reduce((most, end) => (end > most ? end : most), 0n);
  switch (name) {
    case "traceDuration":
      return last - first;
    case "trace:spanCount":
      return trace.length;
    case "trace:serviceCount":
      return new Set(trace.map(({ service }) => service)).size;
    case "trace:errorCount":
      return trace.filter(({ status }) => status.code === "error").length;
    case "trace:rootCount":
      return rootsOf(trace).length;
    case "trace:missingParentCount":
      return missingIn(trace).size;
    case "span:childCount":
      return trace.filter((other) => other.parentSpanId === span.spanId && other.spanId !== span.spanId).length;
    default:
      throw new Error(`the reference does not know ${name}`);
  }
}

/** A bigint and a number compare by value, as they do in ClickHouse. */
export function ordered(left: bigint | number, comparison: Comparison, right: bigint | number): boolean {
  const order = left < right ? -1 : left > right ? 1 : 0;
  switch (comparison) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    default:
      return false;
  }
}
