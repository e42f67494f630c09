/** The connection of the live page: opened, kept, and opened again where it is lost, at the place where it was. */
import type { Problem } from "@callchain/schemas/api/common.ts";
import { EventStreamParser, type StreamEvent } from "@callchain/schemas/api/event-stream.ts";
import type { TailDropped, TailSpan } from "@callchain/schemas/api/tail.ts";
import { api, ApiError } from "../../lib/api.ts";
import { Feed, type FeedRow } from "../../lib/live/feed.ts";

/** "refused": the question itself is wrong, so that asking again cannot help. */
export type TailState = "connecting" | "following" | "lost" | "refused";

/** The server says something every ten seconds. */
const SILENCE_MAX_MS = 25_000;
const RECONNECT_MS = 2_000;
const RATE = 200;

export class LiveTail {
  state = $state<TailState>("connecting");
  /** Why the connection was refused or lost, or why the server cannot look just now. */
  problem = $state.raw<Problem | null>(null);
  rows = $state.raw<readonly FeedRow[]>([]);
  receivedCount = $state(0);
  droppedCount = $state(0);
  /** Some were left out that nobody counted. */
  isDroppedAtLeast = $state(false);
  heldCount = $state(0);
  rate = $state(0);
  isPaused = $state(false);
  #feed = new Feed();
  #lastId = "";

  /** Follows what matches from now on; returns the function that ends it. */
  follow(query: string): () => void {
    const leaving = new AbortController();
    this.#feed = new Feed();
    this.#feed.hold(this.isPaused);
    this.#lastId = "";
    this.droppedCount = 0;
    this.isDroppedAtLeast = false;
    this.#show();
    const clock = setInterval(() => (this.rate = this.#feed.rate(Date.now())), 1_000);
    void this.#run(query, leaving.signal);
    return () => {
      leaving.abort();
      clearInterval(clock);
    };
  }

  setPaused(isPaused: boolean): void {
    this.isPaused = isPaused;
    this.#feed.hold(isPaused);
    this.#show();
  }

  clear(): void {
    this.#feed.clear();
    this.#show();
  }

  #show(): void {
    this.rows = this.#feed.rows;
    this.heldCount = this.#feed.heldCount;
    this.receivedCount = this.#feed.receivedCount;
    this.rate = this.#feed.rate(Date.now());
  }

  async #run(query: string, leaving: AbortSignal): Promise<void> {
    this.state = "connecting";
    while (!leaving.aborted) {
      try {
        await this.#connect(query, leaving);
        if (!leaving.aborted) this.#lose(null);
      } catch (error) {
        if (leaving.aborted) return;
        const problem = error instanceof ApiError ? error.problem : null;
        if (problem !== null && isFinal(problem.status)) {
          this.state = "refused";
          this.problem = problem;
          return;
        }
        this.#lose(problem);
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }

  #lose(problem: Problem | null): void {
    this.state = "lost";
    this.problem = problem;
  }

  /** Resolves when the server ends the stream; rejects when it cannot be had, is cut off, or falls silent. */
  async #connect(query: string, leaving: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const signal = AbortSignal.any([leaving, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
    const headers = { accept: "text/event-stream", ...(this.#lastId === "" ? {} : { "last-event-id": this.#lastId }) };
    try {
      const response = await api.request("/tail", { q: query, rate: RATE }, { headers, signal });
      this.state = "following";
      this.problem = null;
      const parser = new EventStreamParser();
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
        for (const event of parser.push(piece.value)) this.#take(event);
        this.#lastId = parser.lastId === "" ? this.#lastId : parser.lastId;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take({ event, data }: StreamEvent): void {
    // Server and page are of one version, see lib/api.ts.
    const body = JSON.parse(data) as unknown;
    if (event === "spans") {
      this.#feed.push((body as { readonly spans: readonly TailSpan[] }).spans, Date.now()); // of one version, as above
      this.#show();
    }
    if (event === "dropped") {
      const { count } = body as TailDropped; // of one version, as above
      this.droppedCount += count ?? 0;
      this.isDroppedAtLeast ||= count === null;
    }
    this.problem = event === "problem" ? (body as Problem) : null; // of one version, as above
  }
}

/** The same request would be refused again; too many tails at once pass by. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 429 && status !== 408;
}
