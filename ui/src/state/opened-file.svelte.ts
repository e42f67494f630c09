/** The file of traces that this tab has open. It is read by a worker, which answers for its traces until another file takes its place. */
import { setLocalTraces } from "../lib/api.ts";
import { findKeptFile, forgetFile, hasKeptFile, keepFile } from "./kept-file.ts";
import type { FileAnswers, FileQuestion, FileReply, OpenedTraces } from "../views/open/file-worker.ts";

interface Waiting {
  readonly resolve: (answer: FileAnswers[keyof FileAnswers]) => void;
  readonly reject: (error: Error) => void;
}

class OpenedFile {
  name = $state<string | null>(null);
  opened = $state.raw<OpenedTraces | null>(null);
  isReading = $state(false);
  /** Of the file that could not be opened; the one before it stays. */
  fault = $state.raw<{ readonly name: string; readonly reason: string } | null>(null);
  #worker: Worker | null = null;
  #ids: ReadonlySet<string> = new Set();
  #waiting = new Map<number, Waiting>();
  #number = 0;
  /** Of the file that the tab had before it was loaded; null once that is done, or where it had none. */
  #restoring: Promise<void> | null = hasKeptFile() ? this.#restore() : null;

  /** Whether the trace is of the file, or may turn out to be. */
  mayHave(traceId: string): boolean {
    return this.#restoring !== null || this.has(traceId);
  }

  has(traceId: string): boolean {
    return this.#ids.has(traceId);
  }

  async open(file: File): Promise<void> {
    this.#restoring = null;
    if (await this.#read(file)) void keepFile(file);
  }

  async #restore(): Promise<void> {
    this.isReading = true;
    const file = await findKeptFile();
    // Another one may have been opened meanwhile.
    if (this.#restoring === null) return;
    if (file === null) this.isReading = false;
    else await this.#read(file);
    this.#restoring = null;
  }

  /** False where it cannot be read. */
  async #read(file: File): Promise<boolean> {
    this.isReading = true;
    this.fault = null;
    const worker = this.#start();
    try {
      const opened = await this.#ask(worker, { kind: "open", file });
      this.#worker?.terminate();
      this.#worker = worker;
      this.#ids = new Set(opened.traces.map(({ traceId }) => traceId));
      this.opened = opened;
      this.name = file.name;
      return true;
    } catch (error) {
      worker.terminate();
      this.fault = { name: file.name, reason: error instanceof Error ? error.message : String(error) };
      return false;
    } finally {
      this.isReading = false;
    }
  }

  close(): void {
    forgetFile();
    this.#worker?.terminate();
    this.#worker = null;
    this.#ids = new Set();
    this.opened = null;
    this.name = null;
    this.fault = null;
  }

  /** Frames of the skeleton; null where the trace is not of the file. */
  framesOf(traceId: string): Promise<Uint8Array | null> {
    return this.#askOf(traceId, { kind: "frames", traceId });
  }
  otlpOf(traceId: string): Promise<object | null> {
    return this.#askOf(traceId, { kind: "otlp", traceId });
  }
  clocks(traceId: string): Promise<FileAnswers["clocks"] | null> {
    return this.#askOf(traceId, { kind: "clocks", traceId });
  }
  span(traceId: string, spanId: string): Promise<FileAnswers["span"]> {
    return this.#askOf(traceId, { kind: "span", traceId, spanId });
  }

  async #askOf<K extends keyof FileAnswers>(traceId: string, question: FileQuestion<K>): Promise<FileAnswers[K] | null> {
    await this.#restoring;
    return this.#worker !== null && this.has(traceId) ? this.#ask(this.#worker, question) : null;
  }

  #start(): Worker {
    const worker = new Worker(new URL("../views/open/file-worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<FileReply>) => {
      const waiting = this.#waiting.get(data.number);
      this.#waiting.delete(data.number);
      if ("fault" in data) waiting?.reject(new Error(data.fault));
      else waiting?.resolve(data.answer);
    });
    worker.addEventListener("error", (event) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(event.message || "the page's worker did not start: reload"));
      this.#waiting.clear();
    });
    return worker;
  }

  #ask<K extends keyof FileAnswers>(worker: Worker, question: FileQuestion<K>): Promise<FileAnswers[K]> {
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      // The worker answers each kind of question with its own kind of answer.
      this.#waiting.set(number, { resolve: resolve as Waiting["resolve"], reject });
      worker.postMessage({ number, question }, { transfer: [] });
    });
  }
}

export const openedFile = new OpenedFile();
setLocalTraces(openedFile);
