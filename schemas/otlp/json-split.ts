/**
 * OTLP/JSON of any length, cut into the elements of its `resourceSpans` as the bytes come: one document, or one after the other (a file
 * with a request per line). Only the nesting is looked at; what an element holds is checked by whoever converts it.
 *
 *   {"resourceSpans": [ {"resource": ..., "scopeSpans": [...]} , {...} ], "anything": "else"}
 *                       ^----------- an element -------------^
 */
import { InvalidError } from "../span/errors.ts";

export const OTLP_JSON_ACCEPTED = 'OTLP/JSON: {"resourceSpans": [...]}, one document or one per line';

export interface ResourceSpansText {
  /** JSON of one element, UTF-8. */
  readonly bytes: Uint8Array;
  /** In which it begins, from 1. */
  readonly line: number;
}

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const NEWLINE = 0x0a;
const WHITESPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d, NEWLINE]);
const BYTE_ORDER_MARK: ReadonlySet<number> = new Set([0xef, 0xbb, 0xbf]);
const LIST_KEY = "resourceSpans";
/** Longer ones are none that are known. */
const KEY_BYTES_MAX = 64;
const KEYS_TOLD_MAX = 8;

export class ResourceSpansSplitter {
  readonly #elementMaxBytes: number;
  #line = 1;
  #offset = 0;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** At the top of a document, between a comma and a colon. */
  #isAtKey = false;
  #key: number[] = [];
  #keys: string[] = [];
  /** Inside of the list itself or of its elements. */
  #isInList = false;
  #element: { readonly chunks: Uint8Array[]; readonly line: number; length: number } | null = null;

  constructor(elementMaxBytes: number) {
    this.#elementMaxBytes = elementMaxBytes;
  }

  /** Throws InvalidError naming the line where the text is not OTLP/JSON, or an element is too long. The piece must not change later. */
  push(piece: Uint8Array): ResourceSpansText[] {
    const found: ResourceSpansText[] = [];
    let from = 0;
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at] ?? 0;
      if (this.#isInString) {
        this.#takeText(byte);
        continue;
      }
      const isNew = this.#element === null;
      const isWhole = this.#take(byte);
      if (isNew && this.#element !== null) from = at;
      if (isWhole) found.push(this.#finishElement(piece.subarray(from, at + 1)));
    }
    if (this.#element !== null) this.#keep(piece.subarray(from));
    this.#offset += piece.length;
    return found;
  }

  /** Throws InvalidError where the text ends within a document. */
  finish(): void {
    if (this.#depth > 0 || this.#isInString)
      throw new InvalidError(`line ${this.#line}: the text ends within a document: it was cut off`);
  }

  #takeText(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) {
      this.#isInString = false;
      return;
    }
    if (byte === NEWLINE) this.#line += 1;
    if (this.#isAtKey && this.#key.length < KEY_BYTES_MAX) this.#key.push(byte);
  }

  /** A byte outside of strings; true where it ends an element. */
  #take(byte: number): boolean {
    if (WHITESPACE.has(byte)) {
      if (byte === NEWLINE) this.#line += 1;
      return false;
    }
    if (this.#depth === 0) this.#openDocument(byte);
    else if (this.#depth === 1) this.#takeTop(byte);
    else if (this.#depth === 2 && this.#isInList && this.#element === null) this.#takeInList(byte);
    else return this.#takeInside(byte);
    return false;
  }

  #openDocument(byte: number): void {
    if (byte === OPEN_OBJECT) {
      this.#depth = 1;
      this.#isAtKey = true;
      this.#key = [];
      this.#keys = [];
    } else if (this.#offset > 0 || this.#line > 1 || !BYTE_ORDER_MARK.has(byte))
      this.#refuse(byte, "the beginning of a document");
  }

  #takeTop(byte: number): void {
    if (byte === QUOTE) {
      this.#isInString = true;
      if (this.#isAtKey) this.#key = [];
    } else if (byte === COLON && this.#isAtKey) {
      this.#isAtKey = false;
      this.#keys.push(new TextDecoder().decode(Uint8Array.from(this.#key)));
    } else if (byte === COMMA) {
      this.#isAtKey = true;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      this.#isInList = byte === OPEN_LIST && this.#keys.at(-1) === LIST_KEY;
      this.#depth = 2;
    } else if (byte === CLOSE_OBJECT) this.#closeDocument();
    else if (byte === CLOSE_LIST) this.#refuse(byte, "a field");
  }

  #closeDocument(): void {
    this.#depth = 0;
    if (this.#keys.length === 0 || this.#keys.includes(LIST_KEY)) return;
    const names = this.#keys.slice(0, KEYS_TOLD_MAX).map((key) => JSON.stringify(key));
    throw new InvalidError(`line ${this.#line}: given an object with ${names.join(", ")}; accepted is ${OTLP_JSON_ACCEPTED}`);
  }

  #takeInList(byte: number): void {
    if (byte === OPEN_OBJECT) {
      this.#element = { chunks: [], line: this.#line, length: 0 };
      this.#depth = 3;
    } else if (byte === CLOSE_LIST) {
      this.#isInList = false;
      this.#depth = 1;
    } else if (byte !== COMMA) this.#refuse(byte, `an element of ${LIST_KEY}, which is an object,`);
  }

  #takeInside(byte: number): boolean {
    if (byte === QUOTE) this.#isInString = true;
    else if (byte === OPEN_OBJECT || byte === OPEN_LIST) this.#depth += 1;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      this.#depth -= 1;
      return this.#element !== null && this.#depth === 2;
    }
    return false;
  }

  #keep(chunk: Uint8Array): void {
    const element = this.#element;
    if (element === null) return;
    element.chunks.push(chunk);
    element.length += chunk.length;
    if (element.length <= this.#elementMaxBytes) return;
    throw new InvalidError(
      `line ${element.line}: an element of ${LIST_KEY} is longer than ${this.#elementMaxBytes} bytes: split it into several of the same resource`,
    );
  }

  #finishElement(last: Uint8Array): ResourceSpansText {
    const element = this.#element;
    this.#keep(last);
    this.#element = null;
    const bytes = new Uint8Array(element?.length ?? 0);
    let at = 0;
    for (const chunk of element?.chunks ?? []) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return { bytes, line: element?.line ?? this.#line };
  }

  #refuse(byte: number, expected: string): never {
    const given = byte >= 0x21 && byte < 0x7f ? JSON.stringify(String.fromCharCode(byte)) : `the byte ${byte}`;
    throw new InvalidError(`line ${this.#line}: given ${given} where ${expected} should be; accepted is ${OTLP_JSON_ACCEPTED}`);
  }
}
