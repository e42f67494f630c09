/** `callchain tail`: matching spans as they are stored, a line each, until Ctrl-C. */
import { setTimeout as delay } from "node:timers/promises";
import { EventStreamParser, type StreamEvent } from "@callchain/schemas/api/event-stream.ts";
import { TAIL_MEDIA_TYPE, TailDropped, TailSpans, type TailSpan } from "@callchain/schemas/api/tail.ts";
import { Problem } from "@callchain/schemas/api/common.ts";
import { readConfig, setting, type ConfigOf } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import { apiUrl, ask, urlSetting } from "./client.ts";
import { clean, formatInstant, formatNano, styleFor } from "./format.ts";

const RECONNECT_MS = 2_000;

export const tailSettings = {
  url: urlSetting,
  q: setting.text("", "TraceQL, one spanset, or words and key=value (every span)"),
  rate: setting.wholeNumber(50, 1, 500, "spans a second at most (50)"),
  ndjson: setting.toggle(false, "a line of JSON for each span"),
};

/** Rejects where the first connection fails or the question is refused; a connection lost later is taken up again. */
export async function tailCommand(sources: ConfigSources): Promise<void> {
  const config = readConfig(tailSettings, sources);
  const leaving = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => leaving.abort());
  process.stdout.once("error", () => leaving.abort());
  const tail = new Tail(config, leaving.signal);
  for (let isFirst = true; !leaving.signal.aborted; isFirst = false) {
    try {
      await tail.follow();
    } catch (error) {
      if (leaving.signal.aborted) return;
      const isPassing = !(error instanceof Failure) || error.code === "unavailable" || error.code === "overloaded";
      if (isFirst || !isPassing) throw error;
      process.stderr.write(`callchain: ${messageOf(error)}\n`);
    }
    process.stderr.write("callchain: the connection has ended; connecting again\n");
    await delay(RECONNECT_MS, undefined, { signal: leaving.signal }).catch(() => undefined);
  }
}

class Tail {
  readonly #config: ConfigOf<typeof tailSettings>;
  readonly #signal: AbortSignal;
  readonly #style = styleFor(process.stdout);
  #lastId = "";

  constructor(config: ConfigOf<typeof tailSettings>, signal: AbortSignal) {
    this.#config = config;
    this.#signal = signal;
  }

  async follow(): Promise<void> {
    const { url, q, rate } = this.#config;
    const headers = { accept: TAIL_MEDIA_TYPE, ...(this.#lastId === "" ? {} : { "last-event-id": this.#lastId }) };
    const response = await ask(apiUrl(url, "/tail", { q, rate }), { headers, signal: this.#signal });
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) {
      for (const event of parser.push(decoder.decode(piece, { stream: true }))) this.#show(event);
      if (parser.lastId !== "") this.#lastId = parser.lastId;
    }
  }

  #show({ event, data }: StreamEvent): void {
    const body: unknown = JSON.parse(data);
    if (event === "spans") {
      const lines = TailSpans.parse(body).spans.map((span) => (this.#config.ndjson ? JSON.stringify(span) : this.#format(span)));
      process.stdout.write(`${lines.join("\n")}\n`);
    } else if (event === "dropped") {
      const { count, reason } = TailDropped.parse(body);
      process.stderr.write(`callchain: ${count ?? "some"} spans left out: ${reason}\n`);
    } else if (event === "problem") {
      process.stderr.write(`callchain: ${Problem.parse(body).detail}\n`);
    }
  }

  #format(span: TailSpan): string {
    const name = span.status === "error" ? this.#style("red", `${clean(span.name)} !`) : clean(span.name);
    const when = formatInstant(span.startNano).slice(11);
    return `${when} ${formatNano(span.durationNano).padStart(8)}  ${this.#style("bold", clean(span.service))}  ${name}  ${this.#style("dim", span.traceId)}`;
  }
}
