/** `callchain traces` and `callchain trace ID`. */
import { TraceSearchAnswer, TraceTreeAnswer, type TraceSummary } from "@callchain/schemas/api/traces.ts";
import { readConfig, setting } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { apiUrl, askJson, searchSettings, urlSetting } from "./client.ts";
import { clean, formatInstant, formatNano, formatTable, styleFor } from "./format.ts";
import { renderTree } from "./tree.ts";

const PAGE_TRACE_COUNT = 200;

export const tracesSettings = {
  ...searchSettings,
  sort: setting.oneOf(["newest", "slowest"], "newest", "newest or slowest first (newest)"),
  limit: setting.wholeNumber(20, 1, 100_000, "traces at most (20)"),
  ndjson: setting.toggle(false, "a line of JSON for each trace in place of the table"),
};

export async function tracesCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(tracesSettings, sources);
  const { q, from, to, sort } = config;
  let shown = 0;
  for (let cursor: string | null = ""; cursor !== null && shown < config.limit;) {
    const limit = Math.min(PAGE_TRACE_COUNT, config.limit - shown);
    const answer: TraceSearchAnswer = await askJson(
      apiUrl(config.url, "/traces", { q, from, to, sort, limit, cursor }),
      TraceSearchAnswer,
    );
    const lines = config.ndjson ? answer.traces.map((trace) => JSON.stringify(trace)) : formatPage(answer.traces, shown === 0);
    if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
    if (answer.scan.partialReason !== null) process.stderr.write(`callchain: not everything: ${answer.scan.partialReason}\n`);
    shown += answer.traces.length;
    cursor = answer.nextCursor;
  }
  if (shown === 0) process.stderr.write(`callchain: no trace matches between ${from} and ${to}\n`);
}

function formatPage(traces: readonly TraceSummary[], withHead: boolean): string[] {
  if (traces.length === 0) return [];
  const rows = traces.map((trace) => [
    formatInstant(trace.startNano),
    formatNano(trace.durationNano).padStart(8),
    String(trace.spanCount).padStart(5),
    String(trace.errorCount).padStart(6),
    trace.traceId,
    `${clean(trace.rootService ?? "?")}  ${clean(trace.rootName ?? "(root span missing)")}`,
  ]);
  return formatTable(withHead ? [["START (UTC)", "DURATION", "SPANS", "ERRORS", "TRACE", "ROOT"], ...rows] : rows);
}

export const traceSettings = {
  url: urlSetting,
  json: setting.toggle(false, "the tree as JSON in place of the drawing"),
};

export async function traceCommand(sources: ConfigSources, [id = ""]: readonly string[]): Promise<void> {
  const config = readConfig(traceSettings, sources);
  const tree = await askJson(apiUrl(config.url, `/traces/${encodeURIComponent(id)}`, { view: "tree" }), TraceTreeAnswer);
  const lines = config.json ? [JSON.stringify(tree)] : renderTree(tree, styleFor(process.stdout));
  process.stdout.write(`${lines.join("\n")}\n`);
}
