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

const INITIAL_ROWS = 1024;

/** Grows columns row by row; the arrays double when they are full. */
export class SpanColumnsBuilder {
  #count = 0;
  #capacity = INITIAL_ROWS;
  #spanId = new Uint8Array(8 * INITIAL_ROWS);
  #parentId = new Uint8Array(8 * INITIAL_ROWS);
  #startNano = new BigInt64Array(INITIAL_ROWS);
  #durationNano = new Float64Array(INITIAL_ROWS);
  #service = new Uint32Array(INITIAL_ROWS);
  #name = new Uint32Array(INITIAL_ROWS);
  #host = new Uint32Array(INITIAL_ROWS);
  #kind = new Uint8Array(INITIAL_ROWS);
  #status = new Uint8Array(INITIAL_ROWS);
  #has = new Uint8Array(INITIAL_ROWS);

  get count(): number {
    return this.#count;
  }

  /** `ids` holds the span id and right after it the parent's, 16 bytes from `at`. */
  append(
    ids: Uint8Array,
    at: number,
    startNano: bigint,
    durationNano: number,
    service: number,
    name: number,
    host: number,
    kind: number,
    status: number,
    has: number,
  ): void {
    const row = this.#count;
    if (row === this.#capacity) this.#grow();
    for (let byte = 0; byte < 8; byte += 1) {
      this.#spanId[8 * row + byte] = ids[at + byte] ?? 0;
      this.#parentId[8 * row + byte] = ids[at + 8 + byte] ?? 0;
    }
    this.#startNano[row] = startNano;
    this.#durationNano[row] = durationNano;
    this.#service[row] = service;
    this.#name[row] = name;
    this.#host[row] = host;
    this.#kind[row] = kind;
    this.#status[row] = status;
    this.#has[row] = has;
    this.#count += 1;
  }

  /** The columns so far; the builder must not be used afterwards. */
  build(services: readonly string[], names: readonly string[], hosts: readonly string[]): SpanColumns {
    const count = this.#count;
    return {
      count,
      spanId: this.#spanId.subarray(0, 8 * count),
      parentId: this.#parentId.subarray(0, 8 * count),
      startNano: this.#startNano.subarray(0, count),
      durationNano: this.#durationNano.subarray(0, count),
      service: this.#service.subarray(0, count),
      name: this.#name.subarray(0, count),
      host: this.#host.subarray(0, count),
      kind: this.#kind.subarray(0, count),
      status: this.#status.subarray(0, count),
      has: this.#has.subarray(0, count),
      services,
      names,
      hosts,
    };
  }

  #grow(): void {
    this.#capacity *= 2;
    const rows = this.#capacity;
    const grown = <T extends { set(from: T): void }>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#spanId = grown(this.#spanId, new Uint8Array(8 * rows));
    this.#parentId = grown(this.#parentId, new Uint8Array(8 * rows));
    this.#startNano = grown(this.#startNano, new BigInt64Array(rows));
    this.#durationNano = grown(this.#durationNano, new Float64Array(rows));
    this.#service = grown(this.#service, new Uint32Array(rows));
    this.#name = grown(this.#name, new Uint32Array(rows));
    this.#host = grown(this.#host, new Uint32Array(rows));
    this.#kind = grown(this.#kind, new Uint8Array(rows));
    this.#status = grown(this.#status, new Uint8Array(rows));
    this.#has = grown(this.#has, new Uint8Array(rows));
  }
}
