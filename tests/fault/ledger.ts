/**
 * A client that keeps a ledger: every span it was told is accepted, with content. Afterwards the store must hold each of them exactly
 * once (a request whose answer never came may be there or not, but never twice).
 */
import { createHash, randomUUID } from "node:crypto";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { SpanContext } from "@opentelemetry/api";
import { createClient } from "@clickhouse/client";
import type { ClickHouseClient } from "@clickhouse/client";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";

const RESOURCE = resourceFromAttributes({ "service.name": "ledger" });

function hex(seed: string, digits: number): string {
  return createHash("sha256").update(seed).digest("hex").slice(0, digits);
}

/** A thousand spans start in each second, so that a range of numbers is a range of times. */
function secondOf(n: number): number {
  return 1_790_000_000 + Math.floor(n / 1000);
}

/** The n-th span of a run: everything in it follows from the run and n. */
function spanOf(run: string, n: number): ReadableSpan {
  const context: SpanContext = {
    traceId: hex(`${run}/trace/${Math.floor(n / 10)}`, 32),
    spanId: hex(`${run}/span/${n}`, 16),
    traceFlags: 1,
  };
  const seconds = secondOf(n);
  return {
    name: `step ${n % 7}`,
    kind: SpanKind.INTERNAL,
    spanContext: () => context,
    startTime: [seconds, (n % 1000) * 1000],
    endTime: [seconds, (n % 1000) * 1000 + 500],
    duration: [0, 500],
    status: { code: SpanStatusCode.UNSET },
    attributes: { "ledger.run": run, "ledger.n": n, "ledger.content": hex(`${run}/content/${n}`, 40) },
    links: [],
    events: [],
    ended: true,
    resource: RESOURCE,
    instrumentationScope: { name: "ledger" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Spans of a run as an ExportTraceServiceRequest in protobuf. */
export function encodeSpans(run: string, numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const body = ProtobufTraceSerializer.serializeRequest(numbers.map((n) => spanOf(run, n)));
  if (body === undefined) throw new Error("the serializer returned nothing");
  return new Uint8Array(body);
}

/** What the store holds of one span. */
interface StoredSpan {
  readonly n: number;
  readonly content: string;
  readonly copies: number;
}

/** "0", or "1234: 7, 8, 9": never the whole list, whose difference to an empty one an assertion would draw line by line. */
export type LedgerFaults = Readonly<Record<"lost" | "doubled" | "changed" | "unknown", string>>;
export const NO_FAULTS: LedgerFaults = { lost: "0", doubled: "0", changed: "0", unknown: "0" };

/** Counts, and keeps the first few. */
class Fault {
  #count = 0;
  readonly #first: (number | string)[] = [];

  add(what: number | string, count = 1): void {
    this.#count += count;
    if (this.#first.length < 10) this.#first.push(what);
  }

  get text(): string {
    return this.#count === 0 ? "0" : `${this.#count}: ${this.#first.join(", ")}`;
  }
}

const UNSENT = 0;
const SENT = 1;
const ACCEPTED = 2;
/** Spans compared at a time: neither the engine nor this process holds more of them. A multiple of a second's spans. */
const PAGE_SPANS = 100_000;
const REFUSAL_PAUSE_MS = 50;

export class Ledger {
  readonly run = randomUUID();
  /** By number: one byte a span, since a run may send millions. */
  #states = new Uint8Array(1 << 16);
  #next = 0;
  #acceptedCount = 0;
  #refusedCount = 0;

  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  /** Requests that were told to come again (429 or 503, with Retry-After). */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Sends requests one after another until the signal aborts. Refusals (429, 503) are waited out, broken connections too. */
  async sendUntil(signal: AbortSignal, endpoint: () => string, spansPerRequest: number): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.send(endpoint(), spansPerRequest, signal);
      } catch (error) {
        if (error instanceof UnexpectedAnswer) throw error;
        // The connection broke: the answer is unknown, which the comparison allows for.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** One request; whether it was accepted. Rejects where the connection breaks, and with what was said where the answer is another. */
  async send(endpoint: string, spanCount: number, signal?: AbortSignal): Promise<boolean> {
    const first = this.#next;
    const numbers = Array.from({ length: spanCount }, (_, index) => first + index);
    this.#next += spanCount;
    const body = encodeSpans(this.run, numbers);
    this.#mark(first, spanCount, SENT);
    const response = await fetch(`${endpoint}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/x-protobuf" },
      body,
      ...(signal === undefined ? {} : { signal }),
    });
    const answer = Buffer.from(await response.arrayBuffer());
    if (response.status === 200) {
      if (answer.length > 0) throw new UnexpectedAnswer(`a partial success: ${answer.toString()}`);
      this.#mark(first, spanCount, ACCEPTED);
      this.#acceptedCount += spanCount;
      return true;
    }
    const isRetryable = (response.status === 503 || response.status === 429) && response.headers.has("retry-after");
    if (!isRetryable) throw new UnexpectedAnswer(`status ${response.status}: ${answer.toString()}`);
    this.#refusedCount += 1;
    await new Promise((resolve) => setTimeout(resolve, REFUSAL_PAUSE_MS));
    return false;
  }

  /** Compares with the rows of the store: how many spans break a promise, and the first few of each. */
  async compare(engineUrl: string): Promise<LedgerFaults> {
    const client = createClient({ url: engineUrl });
    const lost = new Fault();
    const doubled = new Fault();
    const changed = new Fault();
    const unknown = new Fault();
    try {
      let rowCount = 0;
      for (let from = 0; from < this.#next; from += PAGE_SPANS) {
        const isFound = new Uint8Array(PAGE_SPANS);
        for (const { n, content, copies } of await this.#readPage(client, from)) {
          rowCount += copies;
          isFound[n - from] = 1;
          if (copies !== 1) doubled.add(n);
          if (content !== hex(`${this.run}/content/${n}`, 40)) changed.add(n);
          if (this.#states[n] === UNSENT) unknown.add(n);
        }
        for (const [index, found] of isFound.entries()) {
          if (found === 0 && this.#states[from + index] === ACCEPTED) lost.add(from + index);
        }
      }
      const elsewhere = (await this.#countRows(client)) - rowCount;
      if (elsewhere !== 0) unknown.add("at a time of their own", elsewhere);
      return { lost: lost.text, doubled: doubled.text, changed: changed.text, unknown: unknown.text };
    } finally {
      await client.close();
    }
  }

  #mark(first: number, count: number, state: number): void {
    if (first + count + PAGE_SPANS > this.#states.length) {
      const grown = new Uint8Array(2 * (first + count + PAGE_SPANS));
      grown.set(this.#states);
      this.#states = grown;
    }
    this.#states.fill(state, first, first + count);
  }

  /** Times as DateTime64: compared with a plain DateTime, ClickHouse 26.7 leaves out granules that begin in the second before it. */
  async #readPage(client: ClickHouseClient, from: number): Promise<StoredSpan[]> {
    const answer = await client.query({
      query: `SELECT toUInt32(attr_int['ledger.n']) AS n, any(attr_string['ledger.content']) AS content, toUInt32(count()) AS copies
              FROM spans
              WHERE service = 'ledger' AND start >= toDateTime64({from:UInt32}, 9) AND start < toDateTime64({to:UInt32}, 9)
                AND attr_string['ledger.run'] = {run:String} AND n >= {first:UInt32} AND n < {first:UInt32} + {count:UInt32}
              GROUP BY n`,
      query_params: {
        run: this.run,
        from: secondOf(from),
        to: secondOf(from + PAGE_SPANS),
        first: from,
        count: PAGE_SPANS,
      },
      format: "JSONEachRow",
    });
    return answer.json<StoredSpan>();
  }

  async #countRows(client: ClickHouseClient): Promise<number> {
    const answer = await client.query({
      query: "SELECT count() AS n FROM spans WHERE service = 'ledger' AND attr_string['ledger.run'] = {run:String}",
      query_params: { run: this.run },
      format: "JSONEachRow",
    });
    const [row] = await answer.json<{ n: string }>();
    return Number(row?.n ?? 0);
  }
}

class UnexpectedAnswer extends Error {}
