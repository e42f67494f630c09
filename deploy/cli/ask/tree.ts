/** A call tree as lines of text. */
import type { TraceTreeAnswer, TreeSpan } from "@callchain/schemas/api/traces.ts";
import { clean, formatInstant, formatNano, type Style } from "./format.ts";

const BAR_CHARS = 24;
const DURATION_CHARS = 9;

/**
 *   POST /checkout of checkout: 1.2 s, 4 spans, 1 error, 3 services
 *   2026-01-31 12:00:00.123 UTC, trace 0af7651916cd43dd8448eb211c80319c
 *
 *      1.2 s │████████████████████████│ checkout  POST /checkout
 *     400 ms │████████                │ ├─ cart  GET /cart
 *     700 ms │         ██████████████ │ └─ payment  POST /pay  ! declined
 */
export function renderTree(trace: TraceTreeAnswer, style: Style): string[] {
  const branches = drawBranches(trace.spans);
  const startNano = BigInt(trace.startNano);
  return [
    ...renderHead(trace, style),
    "",
    ...trace.spans.map((span, at) => {
      const duration = formatNano(span.durationNano).padStart(DURATION_CHARS);
      const bar = drawBar(Number(BigInt(span.startNano) - startNano), span.durationNano, trace.durationNano);
      const isError = span.status === "error";
      const message = span.statusMessage === "" ? "" : `  ${clean(span.statusMessage)}`;
      const mark = isError ? style("red", `  !${message}`) : style("dim", message);
      const orphan = span.orphan ? style("dim", "  (its parent is missing)") : "";
      const name = isError ? style("red", clean(span.name)) : clean(span.name);
      return `${duration} │${isError ? style("red", bar) : style("cyan", bar)}│ ${style("dim", branches[at] ?? "")}${style("bold", clean(span.service))}  ${name}${mark}${orphan}`;
    }),
  ];
}

function renderHead(trace: TraceTreeAnswer, style: Style): string[] {
  const [root] = trace.spans;
  const title = root === undefined ? "" : `${clean(root.name)} of ${clean(root.service)}: `;
  const counts = [
    formatNano(trace.durationNano),
    count(trace.spanCount, "span"),
    count(trace.errorCount, "error"),
    count(trace.serviceCount, "service"),
  ];
  const { missingParentCount, rootCount } = trace.completeness;
  const faults = [
    ...(missingParentCount > 0 ? [`${count(missingParentCount, "parent")} missing`] : []),
    ...(rootCount > 1 ? [`${rootCount} roots`] : []),
    ...(trace.scan.partialReason === null ? [] : [trace.scan.partialReason]),
  ];
  return [
    style("bold", `${title}${counts.join(", ")}`),
    style("dim", `${formatInstant(trace.startNano)} UTC, trace ${trace.traceId}`),
    ...(faults.length > 0 ? [`Incomplete: ${faults.join("; ")}`] : []),
  ];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** At least one block, where the span lies in the trace. */
function drawBar(startNano: number, durationNano: number, wholeNano: number): string {
  const scale = wholeNano === 0 ? 0 : BAR_CHARS / wholeNano;
  const from = Math.min(BAR_CHARS - 1, Math.max(0, Math.floor(startNano * scale)));
  const to = Math.min(BAR_CHARS, Math.max(from + 1, Math.round((startNano + durationNano) * scale)));
  return (" ".repeat(from) + "█".repeat(to - from)).padEnd(BAR_CHARS);
}

/** `│  ├─ ` before each span; spans are in pre-order. Whether a span is its parent's last child is known from behind. */
function drawBranches(spans: readonly TreeSpan[]): string[] {
  const isLast: boolean[] = [];
  const seen = new Set<number>();
  for (let at = spans.length - 1; at >= 0; at -= 1) {
    const parent = spans[at]?.parentIndex ?? -1;
    isLast[at] = !seen.has(parent);
    seen.add(parent);
  }
  const trunks: string[] = [];
  return spans.map((span, at) => {
    if (span.depth === 0) {
      trunks[at] = "";
      return "";
    }
    const before = trunks[span.parentIndex] ?? "";
    trunks[at] = `${before}${isLast[at] === true ? "   " : "│  "}`;
    return `${before}${isLast[at] === true ? "└─ " : "├─ "}`;
  });
}
