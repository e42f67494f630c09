/** A trace of a file, as the API would answer for it. */
import { SPAN_HAS, HOST_KEYS, type SpanColumns, type TraceColumns } from "@callchain/query-api/analysis/columns.ts";
import { encodeSkeleton } from "@callchain/query-api/analysis/trace-skeleton.ts";
import { buildSpanDetail } from "@callchain/query-api/analysis/trace-tree.ts";
import { buildCallTree, type CallTree } from "@callchain/query-api/analysis/tree.ts";
import type { SpanDetail, TraceSummary } from "@callchain/schemas/api/traces.ts";
import { buildTracesJson } from "@callchain/schemas/otlp/export.ts";
import { SPAN_KINDS, STATUS_CODES, type Span } from "@callchain/schemas/span/span.ts";

export class LocalTrace {
  readonly #spans: readonly Span[];
  readonly #found: TraceColumns;
  readonly #tree: CallTree;

  /** At least one span, all of one trace. */
  constructor(spans: readonly Span[]) {
    this.#spans = spans;
    this.#found = { columns: buildColumns(spans), scan: { rows: spans.length, bytes: 0, elapsedMs: 0 }, partialReason: null };
    this.#tree = buildCallTree(this.#found.columns);
  }

  get #id(): Span["traceId"] {
    const [first] = this.#spans;
    if (first === undefined) throw new TypeError("a trace has a span");
    return first.traceId;
  }

  summary(): TraceSummary {
    const tree = this.#tree;
    const services = new Map<string, { name: string; spanCount: number; errorCount: number }>();
    for (const { service: name, status } of this.#spans) {
      const service = services.get(name) ?? { name, spanCount: 0, errorCount: 0 };
      service.spanCount += 1;
      service.errorCount += status.code === "error" ? 1 : 0;
      services.set(name, service);
    }
    const root = this.#spans[tree.rows[0] ?? 0];
    const hasRoot = root?.parentSpanId === null;
    return {
      traceId: this.#id,
      rootService: hasRoot ? root.service : null,
      rootName: hasRoot ? root.name : null,
      startNano: tree.startNano.toString(),
      durationNano: tree.durationNano,
      spanCount: tree.count,
      errorCount: tree.errorCount,
      services: [...services.values()].toSorted((a, b) => b.spanCount - a.spanCount),
      matchedSpanCount: 0,
      matchedSpans: [],
      groups: [],
      complete: tree.completeness.complete,
    };
  }

  /** Frames of schemas/api/skeleton.ts. */
  skeleton(): AsyncIterable<Uint8Array> {
    return encodeSkeleton(this.#id, this.#tree, this.#found);
  }

  clocks(): Float64Array {
    return this.#tree.skewNano;
  }

  span(spanId: string): SpanDetail | null {
    const found = this.#spans.find((span) => span.spanId === spanId);
    return found === undefined ? null : buildSpanDetail(found);
  }

  otlp(): object {
    return buildTracesJson(this.#spans);
  }
}

function buildColumns(spans: readonly Span[]): SpanColumns {
  const [services, names, hosts] = [new Dictionary(), new Dictionary(), new Dictionary()] as const;
  const spanId = new Uint8Array(8 * spans.length);
  const parentId = new Uint8Array(8 * spans.length);
  spans.forEach((span, at) => {
    writeHex(span.spanId, spanId, 8 * at);
    if (span.parentSpanId !== null) writeHex(span.parentSpanId, parentId, 8 * at);
  });
  return {
    count: spans.length,
    spanId,
    parentId,
    startNano: BigInt64Array.from(spans, ({ startNano }) => startNano),
    durationNano: Float64Array.from(spans, ({ durationNano }) => Number(durationNano)),
    service: Uint32Array.from(spans, ({ service }) => services.number(service)),
    name: Uint32Array.from(spans, ({ name }) => names.number(name)),
    host: Uint32Array.from(spans, (span) => hosts.number(hostOf(span))),
    kind: Uint8Array.from(spans, ({ kind }) => SPAN_KINDS.indexOf(kind)),
    status: Uint8Array.from(spans, ({ status }) => STATUS_CODES.indexOf(status.code)),
    has: Uint8Array.from(
      spans,
      ({ events, links }) => (events.length > 0 ? SPAN_HAS.events : 0) | (links.length > 0 ? SPAN_HAS.links : 0),
    ),
    services: services.texts,
    names: names.texts,
    hosts: hosts.texts,
  };
}

function writeHex(hex: string, into: Uint8Array, at: number): void {
  for (let byte = 0; 2 * byte < hex.length; byte += 1) into[at + byte] = Number.parseInt(hex.slice(2 * byte, 2 * byte + 2), 16);
}

function hostOf({ resource, service }: Span): string {
  for (const wanted of HOST_KEYS) {
    const value = resource.attributes.find(({ key }) => key === wanted)?.value;
    if (value?.type === "string" && value.value !== "") return value.value;
  }
  return service;
}

class Dictionary {
  readonly texts: string[] = [];
  readonly #numbers = new Map<string, number>();

  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.texts.length);
    this.texts.push(text);
    return this.texts.length - 1;
  }
}
