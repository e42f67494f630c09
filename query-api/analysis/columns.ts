/**
 * The spans of one trace as columns: what the call tree is rebuilt from. One row per stored row, in any order, copies included.
 *
 *   row   spanId            parentId          startNano            durationNano  service  name  host  kind  status
 *   0     00f067aa0ba902b7  0000000000000000  1769860800000000000  2.5e6         0        0     0     2     0
 *   1     53995c3f42cd8ad8  00f067aa0ba902b7  1769860800000400000  1.1e6         1        1     1     3     2
 */
export interface SpanColumns {
  readonly count: number;
  /** 8 bytes a span. */
  readonly spanId: Uint8Array;
  /** 8 bytes a span; all zero: no parent. */
  readonly parentId: Uint8Array;
  readonly startNano: BigInt64Array;
  /** Exact below 2^53 (104 days). */
  readonly durationNano: Float64Array;
  /** Indexes into the dictionaries below. */
  readonly service: Uint32Array;
  readonly name: Uint32Array;
  readonly host: Uint32Array;
  /** Wire values of SpanKind and StatusCode. */
  readonly kind: Uint8Array;
  readonly status: Uint8Array;
  /** A set of SPAN_HAS. */
  readonly has: Uint8Array;
  readonly services: readonly string[];
  readonly names: readonly string[];
  /** What tells whose clock stamped a span: host name, or what comes closest to it. "" is unknown. */
  readonly hosts: readonly string[];
}

export const SPAN_HAS = { events: 1, links: 2 } as const;

export const KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
export const STATUS_ERROR = 2;

/** Whose clock stamped the span: the machine, where the resource names one, else the instance or the service. */
export const HOST_KEYS = ["host.id", "host.name", "k8s.node.name", "service.instance.id"];
/** What is known of one trace. */
export interface TraceColumns {
  readonly columns: SpanColumns;
  readonly scan: { readonly rows: number; readonly bytes: number; readonly elapsedMs: number };
  readonly partialReason: string | null;
}
