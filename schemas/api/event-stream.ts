/**
 * Server-sent events as text, both ways. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 *
 *   : a comment, which keeps the connection alive
 *   event: spans
 *   id: 0:4711
 *   data: {"spans":[]}
 *                              <- an empty line ends the event
 */

export interface StreamEvent {
  /** "message" where none is named. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream has named, "" before the first. */
  readonly id: string;
}

/** `data` becomes one line of JSON; without it the event only moves the id on, and no one hears of it. */
export function formatEvent(event: { readonly event?: string; readonly id?: string; readonly data?: unknown }): string {
  const lines: string[] = [];
  if (event.event !== undefined) lines.push(`event: ${event.event}`);
  if (event.id !== undefined) lines.push(`id: ${event.id}`);
  if (event.data !== undefined) lines.push(`data: ${JSON.stringify(event.data)}`);
  return `${lines.join("\n")}\n\n`;
}

/** Takes a stream's text in pieces of any size. Comments and fields that nobody here needs (`retry`) are passed over. */
export class EventStreamParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id = "";

  /** The last id that was named, also by an event that told nothing; "" before the first. */
  get lastId(): string {
    return this.#id;
  }

  /** The events that this piece completes. */
  push(text: string): StreamEvent[] {
    const whole = this.#rest + text;
    // A carriage return at the very end may be half of a line break.
    const end = whole.endsWith("\r") ? whole.length - 1 : whole.length;
    const lines = whole.slice(0, end).split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? "") + whole.slice(end);
    return lines.flatMap((line) => this.#takeLine(line) ?? []);
  }

  #takeLine(line: string): StreamEvent | undefined {
    if (line === "") return this.#finish();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #finish(): StreamEvent | undefined {
    const event = { event: this.#event === "" ? "message" : this.#event, data: this.#data.join("\n"), id: this.#id };
    const hasData = this.#data.length > 0;
    this.#event = "";
    this.#data = [];
    return hasData ? event : undefined;
  }
}
