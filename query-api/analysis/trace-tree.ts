/** The JSON faces of one trace: the call tree, and one span in full. */
import type { SpanDetail, TraceTreeAnswer, TreeSpan } from "@callchain/schemas/api/traces.ts";
import { buildKeyValueJson } from "@callchain/schemas/otlp/export.ts";
import type { TraceId } from "@callchain/schemas/span/ids.ts";
import { ANOMALY, SPAN_KINDS, STATUS_CODES, type Span } from "@callchain/schemas/span/span.ts";
import { formatId, readIds, type IdColumn } from "./ids.ts";
import { computeSelfTime } from "./self-time.ts";
import type { CallTree } from "./tree.ts";
import type { TraceColumns } from "./columns.ts";

/** Spans of a tree in JSON; a larger trace is cut in pre-order, and says so. */
const TREE_SPAN_COUNT_MAX = 50_000;

/** `messages` are status messages by span id. */
export function buildTreeAnswer(
  id: TraceId,
  tree: CallTree,
  found: TraceColumns,
  messages: ReadonlyMap<string, string>,
): TraceTreeAnswer {
  const { columns, scan } = found;
  const spanIds = readIds(columns.spanId);
  const parentIds = readIds(columns.parentId);
  const selfNano = computeSelfTime(tree);
  const shown = Math.min(tree.count, TREE_SPAN_COUNT_MAX);
  const spans: TreeSpan[] = [];
  for (let at = 0; at < shown; at += 1) {
    const span = buildTreeSpan(tree, found, at, spanIds, parentIds);
    spans.push({ ...span, selfNano: selfNano[at] ?? 0, statusMessage: messages.get(span.spanId) ?? "" });
  }
  const cut = shown < tree.count ? `The first ${shown} of ${tree.count} spans are here; view=skeleton has all.` : null;
  const partialReason = [found.partialReason, cut].filter((reason) => reason !== null).join(" ");
  return {
    traceId: id,
    startNano: tree.startNano.toString(),
    durationNano: tree.durationNano,
    spanCount: tree.count,
    errorCount: tree.errorCount,
    serviceCount: columns.services.length,
    completeness: tree.completeness,
    spans,
    scan: { ...scan, partial: partialReason !== "", partialReason: partialReason === "" ? null : partialReason },
  };
}

function buildTreeSpan(
  tree: CallTree,
  { columns }: TraceColumns,
  at: number,
  spanIds: IdColumn,
  parentIds: IdColumn,
): Omit<TreeSpan, "selfNano" | "statusMessage"> {
  const row = tree.rows[at] ?? 0;
  const hasParent = parentIds.high[row] !== 0 || parentIds.low[row] !== 0;
  return {
    spanId: formatId(spanIds, row),
    parentSpanId: hasParent ? formatId(parentIds, row) : null,
    parentIndex: tree.parent[at] ?? -1,
    depth: tree.depth[at] ?? 0,
    descendantCount: tree.descendantCount[at] ?? 0,
    service: columns.services[columns.service[row] ?? 0] ?? "",
    name: columns.names[columns.name[row] ?? 0] ?? "",
    kind: SPAN_KINDS[columns.kind[row] ?? 0] ?? "unspecified",
    status: STATUS_CODES[columns.status[row] ?? 0] ?? "unset",
    startNano: (columns.startNano[row] ?? 0n).toString(),
    durationNano: columns.durationNano[row] ?? 0,
    orphan: tree.isOrphan[at] === 1,
    skewNano: tree.skewNano[at] ?? 0,
  };
}

// The keys of ANOMALY are the names that SpanDetail lists.
const ANOMALIES = Object.keys(ANOMALY) as (keyof typeof ANOMALY)[];

export function buildSpanDetail(span: Span): SpanDetail {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    service: span.service,
    name: span.name,
    kind: span.kind,
    startNano: span.startNano.toString(),
    durationNano: span.durationNano.toString(),
    status: { code: span.status.code, message: span.status.message },
    traceState: span.traceState,
    flags: span.flags,
    attributes: buildKeyValueJson(span.attributes),
    droppedAttributesCount: span.droppedAttributesCount,
    events: span.events.map((event) => ({
      timeNano: event.timeNano.toString(),
      name: event.name,
      attributes: buildKeyValueJson(event.attributes),
      droppedAttributesCount: event.droppedAttributesCount,
    })),
    droppedEventsCount: span.droppedEventsCount,
    links: span.links.map((link) => ({
      traceId: link.traceId,
      spanId: link.spanId,
      traceState: link.traceState,
      flags: link.flags,
      attributes: buildKeyValueJson(link.attributes),
      droppedAttributesCount: link.droppedAttributesCount,
    })),
    droppedLinksCount: span.droppedLinksCount,
    resource: {
      attributes: buildKeyValueJson(span.resource.attributes),
      droppedAttributesCount: span.resource.droppedAttributesCount,
      schemaUrl: span.resource.schemaUrl,
    },
    scope: {
      name: span.scope.name,
      version: span.scope.version,
      attributes: buildKeyValueJson(span.scope.attributes),
      droppedAttributesCount: span.scope.droppedAttributesCount,
      schemaUrl: span.scope.schemaUrl,
    },
    anomalies: ANOMALIES.filter((name) => (span.anomalies & ANOMALY[name]) !== 0),
  };
}
