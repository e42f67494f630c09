/**
 * A client that keeps a ledger: every span it was told is accepted, with content. Afterwards the store must hold each of them exactly
 * once (a request whose answer never came may be there or not, but never twice).
 */
import { createHash } from "node:crypto";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { SpanContext } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";

const RESOURCE = resourceFromAttributes({ "service.name": "ledger" });

function hex(seed: string, digits: number): string {
  return createHash("sha256").update(seed).digest("hex").slice(0, digits);
}

/** The n-th span of a run: everything in it follows from the run and n. */
function spanOf(run: string, n: number): ReadableSpan {
  const context: SpanContext = {
    traceId: hex(`${run}/trace/${Math.floor(n / 10)}`, 32),
    spanId: hex(`${run}/span/${n}`, 16),
    traceFlags: 1,
  };
  const seconds = 1_790_000_000 + Math.floor(n / 1000);
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

/** What the store holds of one span. */
export interface LedgerRow {
  n: number;
  content: string;
  copies: number;
}

/** "0", or "1234: 7, 8, 9": never the whole list, whose difference to an empty one an assertion would draw line by line. */
type Fault = string;
export type LedgerFaults = Readonly<Record<"lost" | "doubled" | "changed" | "unknown", Fault>>;
export const NO_FAULTS: LedgerFaults = { lost: "0", doubled: "0", changed: "0", unknown: "0" };

function faultOf(numbers: readonly number[]): Fault {
  return numbers.length === 0 ? "0" : `${numbers.length}: ${numbers.slice(0, 10).join(", ")}`;
}

export class Ledger {
  readonly run: string;
  readonly #accepted = new Set<number>();
  readonly #sent = new Set<number>();
  #next = 0;

  constructor(run: string) {
    this.run = run;
  }

  get acceptedCount(): number {
    return this.#accepted.size;
  }

  /** Sends requests one after another until the signal aborts or the collector goes away. Refusals (503) are waited out. */
  async sendUntil(signal: AbortSignal, endpoint: () => string, spansPerRequest: number): Promise<void> {
    while (!signal.aborted) {
      const numbers = Array.from({ length: spansPerRequest }, (_, index) => this.#next + index);
      this.#next += spansPerRequest;
      const body = ProtobufTraceSerializer.serializeRequest(numbers.map((n) => spanOf(this.run, n)));
      if (body === undefined) throw new Error("the serializer returned nothing");
      for (const n of numbers) this.#sent.add(n);
      try {
        const response = await fetch(`${endpoint()}/v1/traces`, {
          method: "POST",
          headers: { "content-type": "application/x-protobuf" },
          body: new Uint8Array(body),
          signal,
        });
        await response.arrayBuffer();
        if (response.status === 200) for (const n of numbers) this.#accepted.add(n);
        else if (response.status !== 503 && response.status !== 429) throw new Error(`status ${response.status}`);
      } catch (error) {
        if (error instanceof Error && error.message.startsWith("status")) throw error;
        // The connection broke: the answer is unknown, which the comparison allows for.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** Compares with the rows of the store: how many spans break a promise, and the first few of each. */
  compare(rows: readonly LedgerRow[]): LedgerFaults {
    const found = new Set(rows.map((row) => row.n));
    return {
      lost: faultOf([...this.#accepted].filter((n) => !found.has(n))),
      doubled: faultOf(rows.filter((row) => row.copies !== 1).map((row) => row.n)),
      changed: faultOf(rows.filter((row) => row.content !== hex(`${this.run}/content/${row.n}`, 40)).map((row) => row.n)),
      unknown: faultOf(rows.filter((row) => !this.#sent.has(row.n)).map((row) => row.n)),
    };
  }
}
