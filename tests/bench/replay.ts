/**
 * Makes an endless stream of distinct OTLP requests from a recorded corpus without encoding anything again: where ids and times
 * stand is found once, and each round gets other ids and later times by writing over them.
 */
import { Cursor } from "@callchain/schemas/otlp/cursor.ts";

/** Tags of the length-delimited path down to a span, and of what is written over (see schemas/otlp/wire.ts). */
const RESOURCE_SPANS = 0x0a;
const SCOPE_SPANS = 0x12;
const SPAN = 0x12;
const IDS = new Set([0x0a, 0x12, 0x22]);
const TIMES = new Set([0x39, 0x41]);

const ROUND_STEP = 0x9e3779b1;

interface Places {
  /** Where each id's first four bytes are. */
  readonly ids: number[];
  readonly times: number[];
}

function eachField(cursor: Cursor, end: number, onField: (tag: number, at: number, end: number) => void): void {
  while (cursor.pos < end) {
    const tag = cursor.varint(end);
    let next = cursor.pos;
    if ((tag & 7) === 2) {
      const length = cursor.length(end);
      next = cursor.pos + length;
    } else if ((tag & 7) === 0) {
      cursor.varint(end);
      next = cursor.pos;
    } else next += (tag & 7) === 1 ? 8 : 4;
    onField(tag, cursor.pos, next);
    cursor.pos = next;
  }
}

function findPlaces(request: Uint8Array): Places {
  const places: Places = { ids: [], times: [] };
  const cursor = new Cursor();
  cursor.open(request);
  const inSpan = (tag: number, at: number, end: number): void => {
    if (IDS.has(tag) && end > at) places.ids.push(at);
    if (TIMES.has(tag)) places.times.push(at);
  };
  eachField(cursor, request.length, (resourceTag, resourceAt, resourceEnd) => {
    if (resourceTag !== RESOURCE_SPANS) return;
    cursor.pos = resourceAt;
    eachField(cursor, resourceEnd, (scopeTag, scopeAt, scopeEnd) => {
      if (scopeTag !== SCOPE_SPANS) return;
      cursor.pos = scopeAt;
      eachField(cursor, scopeEnd, (spanTag, spanAt, spanEnd) => {
        if (spanTag !== SPAN) return;
        cursor.pos = spanAt;
        eachField(cursor, spanEnd, inSpan);
      });
    });
  });
  return places;
}

/** What a round's ids differ by from the first round's, in their first four bytes. Rounds count from 1. */
export function roundMask(round: number): number {
  return Math.imul(round, ROUND_STEP) ^ Math.imul(1, ROUND_STEP);
}

export interface RequestStream {
  next(): Uint8Array;
}

export class Replay implements RequestStream {
  readonly #requests: readonly { bytes: Uint8Array; view: DataView; places: Places }[];
  readonly #spanNano: bigint;
  #next = 0;
  #round = 0;

  /** `spanNano`: how much time the corpus covers, by which each round is later. */
  constructor(corpus: readonly Uint8Array[], spanNano: bigint) {
    this.#requests = corpus.map((original) => {
      const bytes = original.slice();
      return { bytes, view: new DataView(bytes.buffer), places: findPlaces(bytes) };
    });
    this.#spanNano = spanNano;
  }

  /** The next request. Its bytes are written over one round later: they must have been sent by then. */
  next(): Uint8Array {
    const request = this.#requests[this.#next % this.#requests.length];
    if (request === undefined) throw new Error("the corpus is empty");
    this.#next += 1;
    if (this.#next % this.#requests.length === 1) this.#round += 1;
    if (this.#round > 1) {
      const { view, places } = request;
      const mask = roundMask(this.#round) ^ roundMask(this.#round - 1);
      for (const at of places.ids) view.setInt32(at, view.getInt32(at) ^ mask);
      for (const at of places.times) view.setBigUint64(at, view.getBigUint64(at, true) + this.#spanNano, true);
    }
    return request.bytes;
  }
}
