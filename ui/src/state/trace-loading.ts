/**
 * A trace on its way through its worker. The address names the trace before the trace page's code is here, so its request starts at once
 * and what arrives is kept until somebody listens.
 */
import type { SkeletonMessage, SkeletonRequest } from "../views/trace/skeleton-worker.ts";

const SPAN_ID = /^(?!0+$)[0-9a-f]{16}$/i;

export class TraceLoading {
  readonly traceId: string;
  /** The one that the server was asked to include. */
  readonly spanId: string | null;
  readonly #worker: Worker;
  #kept: SkeletonMessage[] = [];
  #listener: ((message: SkeletonMessage) => void) | null = null;

  /**
   * `spanId`: as the address says it, whatever that is. `frames`: those of a trace from a file; null fetches them from the server.
   */
  constructor(traceId: string, spanId: string | null, frames: Promise<Uint8Array | null> | null) {
    this.traceId = traceId;
    this.spanId = spanId !== null && SPAN_ID.test(spanId) ? spanId.toLowerCase() : null;
    this.#worker = new Worker(new URL("../views/trace/skeleton-worker.ts", import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", (event: MessageEvent<SkeletonMessage>) => this.#hand(event.data));
    this.#worker.addEventListener("error", (event) => {
      this.#fail(event.message || "the page's worker did not start: reload");
    });
    if (frames === null) this.#ask({ traceId, spanId: this.spanId });
    else void this.#askWith(frames);
  }

  #ask(request: SkeletonRequest): void {
    this.#worker.postMessage(request, { transfer: [] });
  }

  async #askWith(frames: Promise<Uint8Array | null>): Promise<void> {
    const asked = { traceId: this.traceId, spanId: this.spanId };
    try {
      const known = await frames;
      this.#ask(known === null ? asked : { ...asked, frames: known });
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #fail(detail: string): void {
    this.#hand({ type: "failed", problem: { type: "about:blank", title: "", status: 0, detail } });
  }

  #hand(message: SkeletonMessage): void {
    if (this.#listener === null) this.#kept.push(message);
    else this.#listener(message);
  }

  /** What has arrived so far comes at once, the rest as it arrives. */
  listen(listener: (message: SkeletonMessage) => void): void {
    this.#listener = listener;
    for (const message of this.#kept.splice(0)) listener(message);
  }

  /** Gives the rest up. */
  stop(): void {
    this.#listener = () => {};
    this.#worker.terminate();
  }
}

let early: TraceLoading | null = null;

/** For the trace that the page is opened with. */
export function loadEarly(traceId: string, spanId: string | null): void {
  early = new TraceLoading(traceId, spanId, null);
}

/** The one that was started early, once; else a new one. */
export function loadTrace(traceId: string, spanId: string | null, frames: Promise<Uint8Array | null> | null): TraceLoading {
  const started = early;
  early = null;
  if (started?.traceId === traceId && frames === null) return started;
  started?.stop();
  return new TraceLoading(traceId, spanId, frames);
}
