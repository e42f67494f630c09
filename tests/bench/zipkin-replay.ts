/** As Replay, over Zipkin v2 JSON: the same ids, and times later by the same steps, written over the text. */
import { roundMask, type RequestStream } from "./replay.ts";
import { encodeZipkin } from "./zipkin-json.ts";

interface Text {
  readonly body: Buffer;
  /** Where the first eight hexadecimal digits of each id are, and what they say in the first round. */
  readonly ids: readonly { at: number; first: number }[];
  /** Where each time's 16 digits are, in microseconds, and what they say in the first round. */
  readonly times: readonly { at: number; first: number }[];
}

const ID = /"(?:traceId|id|parentId)":"([0-9a-f]{8})/g;
/** A span's; as in Replay, an event keeps its own. */
const TIME = /"timestamp":(\d{16})(?=,"duration")/g;

function findText(request: Uint8Array): Text {
  const body = encodeZipkin(request);
  // The corpus is ASCII, so that places in the string are places in the bytes.
  const text = body.toString("latin1");
  const places = (pattern: RegExp, radix: number): { at: number; first: number }[] =>
    [...text.matchAll(pattern)].map((match) => {
      const digits = match[1] ?? "";
      return { at: match.index + match[0].length - digits.length, first: Number.parseInt(digits, radix) };
    });
  return { body, ids: places(ID, 16), times: places(TIME, 10) };
}

export class ZipkinReplay implements RequestStream {
  readonly #texts: readonly Text[];
  readonly #spanMicro: number;
  #next = 0;

  /** `spanNano`: how much time the corpus covers, by which each round is later. */
  constructor(corpus: readonly Uint8Array[], spanNano: bigint) {
    this.#texts = corpus.map(findText);
    this.#spanMicro = Number(spanNano / 1000n);
  }

  /** The next request. Its bytes are written over one round later: they must have been sent by then. */
  next(): Uint8Array {
    const text = this.#texts[this.#next % this.#texts.length];
    if (text === undefined) throw new Error("the corpus is empty");
    const round = Math.floor(this.#next / this.#texts.length) + 1;
    this.#next += 1;
    if (round === 1) return text.body;
    const mask = roundMask(round);
    for (const { at, first } of text.ids) text.body.write(((first ^ mask) >>> 0).toString(16).padStart(8, "0"), at, "latin1");
    for (const { at, first } of text.times) text.body.write(String(first + (round - 1) * this.#spanMicro), at, "latin1");
    return text.body;
  }
}
