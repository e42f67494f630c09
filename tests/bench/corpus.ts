/**
 * The spans that every benchmark reads: a made-up fleet of 30 services with 10 span names each, about 10 attributes a span and 10 a
 * resource, traces of 10 to 20 spans over a few services, 3% errors with an exception event, a few links. The same seed gives the
 * same bytes.
 */
import { EVENT, KEY_VALUE, LINK, REQUEST, RESOURCE, RESOURCE_SPANS, SCOPE } from "@callchain/schemas/otlp/wire.ts";
import { ANY_VALUE, SCOPE_SPANS, SPAN, STATUS } from "@callchain/schemas/otlp/wire.ts";
import { ProtobufWriter } from "@callchain/schemas/otlp/writer.ts";

export interface CorpusOptions {
  readonly requestCount: number;
  readonly spansPerRequest: number;
  readonly seed?: number;
  /** Start of the first trace. Default: 2026-01-15T10:00:00Z. */
  readonly startNano?: bigint;
  /** The traces start evenly over this time. Default: 1 ms per span. */
  readonly rangeNano?: bigint;
  /**
   * "service": each request holds spans of one service, as an SDK's exporter sends them; the spans of a trace lie in several requests.
   * "trace" (default): each request holds whole traces (the last one may be cut), as a gateway collector sends them.
   */
  readonly grouping?: "service" | "trace";
}

export const SERVICE_COUNT = 30;
const NAMES_PER_SERVICE = 10;
const CORPUS_START_NANO = 1_768_471_200_000_000_000n;

/** ExportTraceServiceRequests in protobuf, each of exactly `spansPerRequest` spans. */
export function buildCorpus(options: CorpusOptions): Uint8Array[] {
  const requests: Uint8Array[] = [];
  for (const request of corpusRequests(options)) requests.push(request);
  return requests;
}

/** As `buildCorpus`, one request at a time, for corpora larger than memory. */
export function* corpusRequests(options: CorpusOptions): Generator<Uint8Array> {
  const random = new Random(options.seed ?? 1);
  const start = options.startNano ?? CORPUS_START_NANO;
  const spanTotal = options.requestCount * options.spansPerRequest;
  const range = options.rangeNano ?? BigInt(spanTotal) * 1_000_000n;
  const byService = options.grouping === "service";
  const pools: CorpusSpan[][] = Array.from({ length: byService ? SERVICE_COUNT : 1 }, () => []);
  let made = 0;
  let sent = 0;
  while (sent < options.requestCount) {
    const traceStart = start + (range * BigInt(Math.min(made, spanTotal))) / BigInt(spanTotal);
    const spans = buildTrace(random, traceStart);
    made += spans.length;
    for (const span of spans) pools[byService ? span.service : 0]?.push(span);
    for (const pool of pools) {
      while (pool.length >= options.spansPerRequest && sent < options.requestCount) {
        sent++;
        yield encodeRequest(random, pool.splice(0, options.spansPerRequest));
      }
    }
  }
}

interface CorpusSpan {
  readonly service: number;
  readonly name: number;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array | null;
  readonly kind: number;
  readonly start: bigint;
  readonly duration: bigint;
  readonly failed: boolean;
}

function buildTrace(random: Random, traceStart: bigint): CorpusSpan[] {
  const count = 10 + random.below(11);
  const traceId = random.bytes(16);
  const services = [random.below(SERVICE_COUNT)];
  while (services.length < 4) services.push((services[0] ?? 0) + 1 + random.below(SERVICE_COUNT - 1));
  const spans: CorpusSpan[] = [];
  for (let index = 0; index < count; index++) {
    const parent = index === 0 ? null : (spans[random.below(Math.min(index, 6))] ?? null);
    const service = (services[random.below(1 + Math.min(3, index))] ?? 0) % SERVICE_COUNT;
    // Log-uniform from 50 us to 5 s at the root, within the parent below it.
    const longest = parent === null ? 50_000 * Math.exp(random.next() * 11.5) : Number(parent.duration) * 0.9;
    const duration = Math.max(1000, Math.floor(longest * (parent === null ? 1 : 0.1 + 0.9 * random.next())));
    const slack = parent === null ? 0 : Math.max(0, Number(parent.duration) - duration);
    spans.push({
      service,
      name: random.below(NAMES_PER_SERVICE),
      traceId,
      spanId: random.bytes(8),
      parentSpanId: parent?.spanId ?? null,
      kind: index === 0 ? 2 : (KINDS[random.below(KINDS.length)] ?? 1),
      start: (parent?.start ?? traceStart) + BigInt(Math.floor(slack * random.next())),
      duration: BigInt(duration),
      failed: random.next() < 0.03,
    });
  }
  return spans;
}

const KINDS = [1, 2, 3, 3, 2, 1, 3, 4, 5];
const VERBS = ["GET", "POST", "PUT", "GET", "DELETE", "GET"];
const WORDS = ["cart", "checkout", "price", "stock", "user", "order", "mail", "image", "search", "review", "ship", "tax"];
const REGIONS = ["eu-central-1", "us-east-1", "ap-south-1"];

export function corpusServiceName(service: number): string {
  return `${WORDS[service % WORDS.length] ?? "svc"}-${["api", "worker", "store"][Math.floor(service / WORDS.length)] ?? "x"}`;
}

function corpusSpanName(service: number, name: number): string {
  const word = WORDS[(service + name) % WORDS.length] ?? "thing";
  return `${VERBS[name % VERBS.length] ?? "GET"} /api/v1/${word}/{id}/${service}-${name}`;
}

function encodeRequest(random: Random, spans: readonly CorpusSpan[]): Uint8Array {
  const byService = new Map<number, CorpusSpan[]>();
  for (const span of spans) {
    const group = byService.get(span.service);
    if (group === undefined) byService.set(span.service, [span]);
    else group.push(span);
  }
  const writer = new ProtobufWriter(spans.length * 640);
  for (const [service, members] of byService) {
    const resourceSpans = writer.begin(REQUEST.resourceSpans);
    writeResource(writer, service, service * 4 + ((members[0]?.spanId[0] ?? 0) & 3));
    const scopeSpans = writer.begin(RESOURCE_SPANS.scopeSpans);
    const scope = writer.begin(SCOPE_SPANS.scope);
    writer.stringField(SCOPE.name, "@opentelemetry/instrumentation-http");
    writer.stringField(SCOPE.version, "0.301.0");
    writer.end(scope);
    for (const span of members) writeSpan(writer, random, span);
    writer.end(scopeSpans);
    writer.end(resourceSpans);
  }
  return writer.finish();
}

function writeResource(writer: ProtobufWriter, service: number, instance: number): void {
  const resource = writer.begin(RESOURCE_SPANS.resource);
  const text = (key: string, value: string): void => writeString(writer, RESOURCE.attributes, key, value);
  text("service.name", corpusServiceName(service));
  text("service.version", `1.${service}.0`);
  text("service.instance.id", `${corpusServiceName(service)}-7d9c6b5f4-${instance.toString(36).padStart(5, "x")}`);
  text("telemetry.sdk.language", "nodejs");
  text("telemetry.sdk.name", "opentelemetry");
  text("telemetry.sdk.version", "3.1.1");
  text("host.name", `node-${instance % 12}.internal`);
  text("k8s.namespace.name", "shop");
  text("cloud.region", REGIONS[instance % REGIONS.length] ?? "");
  writeInt(writer, RESOURCE.attributes, "process.pid", 1000 + instance);
  writer.end(resource);
}

function writeSpan(writer: ProtobufWriter, random: Random, span: CorpusSpan): void {
  const message = writer.begin(SCOPE_SPANS.spans);
  writer.bytesField(SPAN.traceId, span.traceId);
  writer.bytesField(SPAN.spanId, span.spanId);
  if (span.parentSpanId !== null) writer.bytesField(SPAN.parentSpanId, span.parentSpanId);
  writer.stringField(SPAN.name, corpusSpanName(span.service, span.name));
  writer.varintField(SPAN.kind, span.kind);
  writer.fixed64Field(SPAN.startTimeUnixNano, span.start);
  writer.fixed64Field(SPAN.endTimeUnixNano, span.start + span.duration);
  writeSpanAttributes(writer, random, span);
  if (span.failed) writeException(writer, span);
  if (random.next() < 0.01) {
    const link = writer.begin(SPAN.links);
    writer.bytesField(LINK.traceId, random.bytes(16));
    writer.bytesField(LINK.spanId, random.bytes(8));
    writeString(writer, LINK.attributes, "messaging.operation.type", "process");
    writer.end(link);
  }
  const status = writer.begin(SPAN.status);
  if (span.failed) {
    writer.stringField(STATUS.message, "upstream connect error or disconnect before headers");
    writer.varintField(STATUS.code, 2);
  }
  writer.end(status);
  writer.fixed32Field(SPAN.flags, 0x101);
  writer.end(message);
}

function writeSpanAttributes(writer: ProtobufWriter, random: Random, span: CorpusSpan): void {
  const text = (key: string, value: string): void => writeString(writer, SPAN.attributes, key, value);
  const integer = (key: string, value: number): void => writeInt(writer, SPAN.attributes, key, value);
  const user = random.below(100_000);
  if (span.kind === 3 && span.name % 2 === 0) {
    text("db.system.name", "postgresql");
    text("db.namespace", "shop");
    text("db.operation.name", "SELECT");
    text("db.query.text", `SELECT id, name, price FROM ${WORDS[span.service % 12] ?? "t"} WHERE tenant = $1 AND id = $2`);
    integer("db.response.returned_rows", random.below(50));
  } else {
    text("http.request.method", VERBS[span.name % VERBS.length] ?? "GET");
    text("http.route", `/api/v1/${WORDS[(span.service + span.name) % 12] ?? "x"}/{id}`);
    text("url.path", `/api/v1/${WORDS[(span.service + span.name) % 12] ?? "x"}/${random.below(1_000_000)}`);
    text("url.scheme", "https");
    integer("http.response.status_code", span.failed ? 503 : 200);
  }
  text("server.address", `${corpusServiceName(span.service)}.shop.svc.cluster.local`);
  text("user.id", `u-${user.toString(16).padStart(8, "0")}`);
  integer("thread.id", random.below(64));
  if (user % 4 === 0) writeDouble(writer, "app.queue.wait_ms", random.below(100_000) / 1000);
  else text("thread.name", `worker-${random.below(64)}`);
  if (user % 8 === 0) writeBool(writer, "app.cache.hit", user % 16 === 0);
  else text("network.protocol.version", "1.1");
}

function writeException(writer: ProtobufWriter, span: CorpusSpan): void {
  const event = writer.begin(SPAN.events);
  writer.fixed64Field(EVENT.timeUnixNano, span.start + span.duration / 2n);
  writer.stringField(EVENT.name, "exception");
  writeString(writer, EVENT.attributes, "exception.type", "UpstreamError");
  writeString(writer, EVENT.attributes, "exception.message", "upstream connect error or disconnect before headers");
  const frames = Array.from(
    { length: 12 },
    (_, at) => `    at handler${at} (/app/src/${span.service}/route-${at}.js:${at * 7}:13)`,
  );
  writeString(writer, EVENT.attributes, "exception.stacktrace", `UpstreamError: upstream\n${frames.join("\n")}`);
  writer.end(event);
}

function writeString(writer: ProtobufWriter, tag: number, key: string, value: string): void {
  writeAttribute(writer, tag, key, () => writer.stringField(ANY_VALUE.stringValue, value));
}

function writeInt(writer: ProtobufWriter, tag: number, key: string, value: number): void {
  writeAttribute(writer, tag, key, () => writer.varintField(ANY_VALUE.intValue, value));
}

function writeDouble(writer: ProtobufWriter, key: string, value: number): void {
  writeAttribute(writer, SPAN.attributes, key, () => writer.doubleField(ANY_VALUE.doubleValue, value));
}

function writeBool(writer: ProtobufWriter, key: string, value: boolean): void {
  writeAttribute(writer, SPAN.attributes, key, () => writer.varintField(ANY_VALUE.boolValue, value ? 1 : 0));
}

function writeAttribute(writer: ProtobufWriter, tag: number, key: string, writeValue: () => void): void {
  const keyValue = writer.begin(tag);
  writer.stringField(KEY_VALUE.key, key);
  const value = writer.begin(KEY_VALUE.value);
  writeValue();
  writer.end(value);
  writer.end(keyValue);
}

/** mulberry32: small, fast, the same everywhere. */
class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** Never all zero. */
  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at++) bytes[at] = this.below(256);
    bytes[0] = (bytes[0] ?? 0) | 1;
    return bytes;
  }
}
