/**
 * OTLP/JSON to protobuf. Parsed JSON takes many times the memory and time of its text ("[{},{},..." some thirty times), so a large
 * body is converted on a thread of its own, one at a time: the event loop goes on, and only one takes its memory.
 */
import { Worker } from "node:worker_threads";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";
import { Failure, InvalidError } from "@callchain/schemas/span/errors.ts";
import type { ConverterAnswer } from "./json-worker.ts";

const INLINE_BYTES_MAX = 256 * 1024;
const MIB = 1024 * 1024;
/** 64 MiB of ordinary spans take some 250 MiB. */
const PARSED_BYTES_MAX = 512 * MIB;
/** The thread ends when it had nothing to do for this long. */
const IDLE_MS = 30_000;

interface Job {
  readonly body: Uint8Array;
  readonly resolve: (request: Uint8Array) => void;
  readonly reject: (reason: Error) => void;
}

export class JsonConverter {
  readonly #parsedMaxBytes: number;
  readonly #queue: Job[] = [];
  #current: Job | null = null;
  #worker: Worker | null = null;
  #idleTimer: NodeJS.Timeout | undefined;

  /** `parsedMaxBytes` is what one body may take while it is read. */
  constructor(parsedMaxBytes = PARSED_BYTES_MAX) {
    this.#parsedMaxBytes = parsedMaxBytes;
  }

  /** Rejects with InvalidError where the body is no OTLP/JSON, with Failure "too_large" where it would take too much memory. */
  async convert(body: Uint8Array): Promise<Uint8Array> {
    if (body.length <= INLINE_BYTES_MAX) return encodeRequestFromJson(body);
    return new Promise((resolve, reject) => {
      this.#queue.push({ body, resolve, reject });
      this.#next();
    });
  }

  /** Ends the thread; what it has not converted is rejected. */
  async stop(): Promise<void> {
    clearTimeout(this.#idleTimer);
    const worker = this.#worker;
    this.#worker = null;
    const stopped = new Failure("unavailable", "the receiver is stopping");
    for (const job of [this.#current, ...this.#queue.splice(0)]) job?.reject(stopped);
    this.#current = null;
    await worker?.terminate();
  }

  #next(): void {
    clearTimeout(this.#idleTimer);
    if (this.#current !== null) return;
    const job = this.#queue.shift();
    if (job === undefined) {
      this.#idleTimer = setTimeout(() => void this.stop(), IDLE_MS).unref();
      return;
    }
    this.#current = job;
    this.#worker ??= this.#start();
    this.#worker.postMessage(job.body, []);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./json-worker.ts", import.meta.url), {
      workerData: this.#parsedMaxBytes,
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil((3 * this.#parsedMaxBytes) / MIB) },
    });
    worker.unref();
    worker.on("message", (answer: ConverterAnswer) => {
      if (this.#worker === worker) this.#settle(answer);
    });
    // A defect: the request it met is refused, the next one gets a new thread.
    worker.on("error", (error: Error) => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      const job = this.#current;
      this.#current = null;
      job?.reject(error);
      this.#next();
    });
    return worker;
  }

  #settle(answer: ConverterAnswer): void {
    const job = this.#current;
    this.#current = null;
    if (answer.code === "ok") job?.resolve(answer.request);
    else job?.reject(answer.code === "invalid" ? new InvalidError(answer.reason) : new Failure(answer.code, answer.reason));
    this.#next();
  }
}
