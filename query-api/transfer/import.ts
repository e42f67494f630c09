/**
 * A file of OTLP/JSON on the way that exporters' spans take: cut into requests of bounded size, each acknowledged before the next. What
 * it holds at any time is one request and the piece that is being read.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ImportCounts, ImportLine } from "@callchain/schemas/api/transfer.ts";
import { ResourceSpansSplitter, type ResourceSpansText } from "@callchain/schemas/otlp/json-split.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { SpanImporter } from "@callchain/schemas/span/ports.ts";
import { buildProblem } from "../routes/problem.ts";
import { readUpload, type Upload } from "./read-body.ts";

const REQUEST_BYTES = 512 * 1024;
const ELEMENT_MAX_BYTES = 32 * 1024 * 1024;
const PROGRESS_MS = 1_000;
/** Told one by one; all are counted. */
const REJECTIONS_TOLD_MAX = 100;
/** How long a request is tried again while the log is full or away. */
const PATIENCE_MS = 120_000;
const RETRY_MS = 500;

const HEAD = Buffer.from('{"resourceSpans":[');
const COMMA = Buffer.from(",");
const TAIL = Buffer.from("]}");

/**
 * Lines as the reading goes on; the last is `done` or `failed`. Throws a Failure instead where nothing was taken and nothing said yet.
 */
export async function* importFile(upload: Upload, importer: SpanImporter, signal: AbortSignal): AsyncGenerator<ImportLine> {
  const work = new Import(importer, signal);
  let hasSpoken = false;
  try {
    for await (const line of work.run(upload)) {
      hasSpoken = true;
      yield line;
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!hasSpoken && work.counts.acceptedSpanCount === 0) throw error;
    yield { type: "failed", ...work.counts, problem: buildProblem(error).body };
  }
}

class Import {
  readonly counts: { -readonly [K in keyof ImportCounts]: number } = {
    readBytes: 0,
    acceptedSpanCount: 0,
    rejectedSpanCount: 0,
    refusedCount: 0,
  };
  readonly #importer: SpanImporter;
  readonly #signal: AbortSignal;
  #waiting: ResourceSpansText[] = [];
  #waitingBytes = 0;
  #toldCount = 0;

  constructor(importer: SpanImporter, signal: AbortSignal) {
    this.#importer = importer;
    this.#signal = signal;
  }

  async *run(upload: Upload): AsyncGenerator<ImportLine> {
    const splitter = new ResourceSpansSplitter(ELEMENT_MAX_BYTES);
    let saidMs = Date.now();
    for await (const piece of readUpload(upload, (count) => (this.counts.readBytes += count))) {
      for (const element of splitter.push(piece)) {
        this.#waiting.push(element);
        this.#waitingBytes += element.bytes.length;
        if (this.#waitingBytes >= REQUEST_BYTES) yield* this.#send();
      }
      if (Date.now() - saidMs < PROGRESS_MS) continue;
      saidMs = Date.now();
      yield { type: "progress", ...this.counts };
    }
    splitter.finish();
    yield* this.#send();
    yield { type: "done", ...this.counts };
  }

  async *#send(): AsyncGenerator<ImportLine> {
    const elements = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (elements.length > 0) yield* this.#sendAll(elements);
  }

  /** Where a request is refused for one of its elements, the others are sent without it. */
  async *#sendAll(elements: readonly ResourceSpansText[]): AsyncGenerator<ImportLine> {
    try {
      const { acceptedSpanCount, rejectedSpanCount, rejection } = await this.#sendOnce(elements);
      this.counts.acceptedSpanCount += acceptedSpanCount;
      this.counts.rejectedSpanCount += rejectedSpanCount;
      if (rejectedSpanCount > 0) yield* this.#tell(elements, rejectedSpanCount, rejection ?? "these spans cannot be stored");
    } catch (error) {
      if (!(error instanceof Failure) || (error.code !== "invalid" && error.code !== "too_large")) throw error;
      if (elements.length > 1) {
        for (const element of elements) yield* this.#sendAll([element]);
        return;
      }
      this.counts.refusedCount += 1;
      yield* this.#tell(elements, null, error.message);
    }
  }

  *#tell(elements: readonly ResourceSpansText[], spanCount: number | null, reason: string): Generator<ImportLine> {
    this.#toldCount += 1;
    if (this.#toldCount > REJECTIONS_TOLD_MAX) return;
    yield { type: "rejected", line: elements[0]?.line ?? 0, lastLine: elements.at(-1)?.line ?? 0, spanCount, reason };
  }

  /** Waits with the file while the log has no room. */
  async #sendOnce(elements: readonly ResourceSpansText[]): ReturnType<SpanImporter["importJson"]> {
    const request = joinElements(elements);
    const untilMs = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await this.#importer.importJson(request);
      } catch (error) {
        const isPassing = error instanceof Failure && (error.code === "overloaded" || error.code === "unavailable");
        if (!isPassing || Date.now() > untilMs) throw error;
        await delay(error.retryAfterMs ?? RETRY_MS, undefined, { signal: this.#signal });
      }
    }
  }
}

function joinElements(elements: readonly ResourceSpansText[]): Uint8Array {
  return Buffer.concat([HEAD, ...elements.flatMap(({ bytes }, at) => (at === 0 ? [bytes] : [COMMA, bytes])), TAIL]);
}
