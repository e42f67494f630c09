/**
 * Builds the spans of one simulated request. A call has a clock of its own: `work` lets time pass, a child starts at the caller's
 * now and moves it to the child's end, `parallel` lets several start together.
 */
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { Attributes, Link, SpanContext } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Random } from "./random.ts";
import { SKEWED_HOST, instanceOf } from "./shop.ts";
import type { Instance, ServiceName } from "./shop.ts";

const NANO_PER_MS = 1_000_000;

/** A span and the instance that would export it. */
export interface DemoSpan {
  readonly instance: Instance;
  readonly span: ReadableSpan;
}

export class TraceBuilder {
  readonly random: Random;
  readonly spans: DemoSpan[] = [];
  readonly #traceId: string;

  constructor(random: Random) {
    this.random = random;
    this.#traceId = random.hex(32);
  }

  /** A root span, or the child of a context that came from elsewhere. */
  root(
    service: ServiceName,
    name: string,
    kind: SpanKind,
    startMs: number,
    body: (call: Call) => void,
    parent?: SpanContext,
  ): Call {
    const instance = instanceOf(service, this.random.next());
    return new Call(this, instance, name, kind, startMs, parent).run(body);
  }

  context(): SpanContext {
    return { traceId: this.#traceId, spanId: this.random.hex(16), traceFlags: 1 };
  }
}

export class Call {
  readonly context: SpanContext;
  readonly instance: Instance;
  readonly random: Random;
  nowMs: number;
  readonly #builder: TraceBuilder;
  readonly #name: string;
  readonly #kind: SpanKind;
  readonly #startMs: number;
  readonly #parent: SpanContext | undefined;
  readonly #attributes: Attributes = {};
  readonly #events: { atMs: number; name: string; attributes: Attributes }[] = [];
  readonly #links: Link[] = [];
  #status: { code: SpanStatusCode; message?: string } = { code: SpanStatusCode.UNSET };
  #isDropped = false;

  constructor(builder: TraceBuilder, instance: Instance, name: string, kind: SpanKind, startMs: number, parent?: SpanContext) {
    this.#builder = builder;
    this.random = builder.random;
    this.instance = instance;
    this.#name = name;
    this.#kind = kind;
    this.#startMs = startMs;
    this.nowMs = startMs;
    this.#parent = parent;
    this.context = builder.context();
  }

  get failed(): boolean {
    return this.#status.code === SpanStatusCode.ERROR;
  }

  get elapsedMs(): number {
    return this.nowMs - this.#startMs;
  }

  run(body: (call: Call) => void): this {
    body(this);
    if (!this.#isDropped) this.#builder.spans.push({ instance: this.instance, span: this.#readable() });
    return this;
  }

  /** Time passes in this span itself. */
  work(medianMs: number): this {
    this.nowMs += this.random.latency(medianMs);
    return this;
  }

  set(attributes: Attributes): this {
    Object.assign(this.#attributes, attributes);
    return this;
  }

  link(context: SpanContext, attributes: Attributes = {}): this {
    this.#links.push({ context, attributes });
    return this;
  }

  event(name: string, attributes: Attributes = {}): this {
    this.#events.push({ atMs: this.nowMs, name, attributes });
    return this;
  }

  fail(message: string, exception?: { type: string; stacktrace: string }): this {
    this.#status = { code: SpanStatusCode.ERROR, message };
    if (exception === undefined) return this;
    return this.event("exception", {
      "exception.type": exception.type,
      "exception.message": message,
      "exception.stacktrace": exception.stacktrace,
    });
  }

  /** The exporter of this span crashed before it was sent: its children lose their parent. */
  drop(): this {
    this.#isDropped = true;
    return this;
  }

  /** A span of the same service. */
  inner(name: string, kind: SpanKind, body: (call: Call) => void): Call {
    const call = new Call(this.#builder, this.instance, name, kind, this.nowMs, this.context).run(body);
    this.nowMs = call.nowMs;
    return call;
  }

  /** A client span here and the server span over there, with the network between them. */
  remote(
    service: ServiceName,
    name: string,
    attributes: { client?: Attributes; server?: Attributes },
    body: (call: Call) => void,
  ): Call {
    return this.inner(name, SpanKind.CLIENT, (client) => {
      client.set({ "server.address": service, ...attributes.client });
      client.nowMs += this.random.between(0.2, 1.2);
      const server = new Call(
        this.#builder,
        instanceOf(service, this.random.next()),
        name,
        SpanKind.SERVER,
        client.nowMs,
        client.context,
      );
      server.set(attributes.server ?? attributes.client ?? {}).run(body);
      client.nowMs = server.nowMs + this.random.between(0.2, 1.2);
      if (server.failed) client.fail(server.#status.message ?? "upstream failed");
    });
  }

  /** A message taken from a topic, later, by another service. The consumer's clock does not hold the producer up. */
  delivered(service: ServiceName, name: string, delayMs: number, body: (call: Call) => void): Call {
    const instance = instanceOf(service, this.random.next());
    return new Call(this.#builder, instance, name, SpanKind.CONSUMER, this.nowMs + delayMs, this.context).run(body);
  }

  /** Lets several start at once; time goes on when the last has ended. */
  parallel(branches: readonly ((call: Call) => void)[]): this {
    const startMs = this.nowMs;
    let endMs = startMs;
    for (const branch of branches) {
      this.nowMs = startMs + this.random.between(0, 0.4);
      branch(this);
      endMs = Math.max(endMs, this.nowMs);
    }
    this.nowMs = endMs;
    return this;
  }

  #readable(): ReadableSpan {
    const offsetMs = this.instance.host === SKEWED_HOST.name ? SKEWED_HOST.offsetMs : 0;
    const startTime = hrTime(this.#startMs + offsetMs);
    const endTime = hrTime(this.nowMs + offsetMs);
    const context = this.context;
    return {
      name: this.#name,
      kind: this.#kind,
      spanContext: () => context,
      ...(this.#parent === undefined ? {} : { parentSpanContext: this.#parent }),
      startTime,
      endTime,
      duration: hrTime(this.nowMs - this.#startMs),
      status: this.#status,
      attributes: this.#attributes,
      links: this.#links,
      events: this.#events.map(({ atMs, name, attributes }) => ({ time: hrTime(atMs + offsetMs), name, attributes })),
      ended: true,
      resource: this.instance.resource,
      instrumentationScope: this.instance.scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

/** OpenTelemetry JS's HrTime: whole seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * NANO_PER_MS)];
}
