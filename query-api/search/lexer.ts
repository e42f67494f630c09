/**
 * Tokens of the query language. Outside of braces words are as people type them, with dashes, slashes and stars. From the first brace or
 * stage on it is TraceQL: there `+ - * / % ^` are operators, while the name of an attribute goes on up to white space, a bracket or a
 * comparison: `span.a-b` is one attribute, `span.a - .b` a difference of two.
 */
import { InvalidError } from "@callchain/schemas/span/errors.ts";
import { QUERY_CHARS_MAX } from "./query.ts";

export type TokenKind = "operator" | "string" | "word" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** The operator, the string's content, or the word. */
  readonly text: string;
  /** First character, counted from 0. */
  readonly at: number;
  /** As written, for messages. */
  readonly source: string;
  /** Of a word: where in `text` its quoted tail begins (`span."a b"`), or -1. */
  readonly quotedFrom: number;
}

/** A query that cannot be read. The message names the character (counted from 1), what was found and what was expected. */
export class QueryError extends InvalidError {
  /** Counted from 0. */
  readonly at: number;

  constructor(at: number, found: string, expected: string) {
    super(`at character ${at + 1}: found ${found}, expected ${expected}`);
    this.name = "QueryError";
    this.at = at;
  }
}

export function describeToken(token: Token): string {
  const source = token.source.length > 40 ? `${token.source.slice(0, 40).toWellFormed()}…` : token.source;
  return token.kind === "end" ? "the end" : JSON.stringify(source);
}

const SPACE = /\s/;
const OPERATOR = /&&|\|\||>=|<=|=~|!=|[!&]?(?:>>|<<)|[!&][<>~]|>|<|[={}()!|,~]/y;
const WORD = /[^\s{}()=<>!|,&~"`]+/y;
/** Within TraceQL, in this order. */
const ARITHMETIC = /[-+*/%^]/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?:[\p{L}\p{N}_.]+)?/uy;
const ATTRIBUTE = /(?:[\p{L}_]+)?\.[^\s{}()=<>!|,&~"`^]*/uy;
const NAME = /[\p{L}_][\p{L}\p{N}_]*(?::[\p{L}\p{N}_]+)?/uy;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["b", "\b"],
  ["f", "\f"],
  ["/", "/"],
  ['"', '"'],
  ["\\", "\\"],
]);

/** Throws QueryError. The last token is of kind "end". */
export function readTokens(text: string): Token[] {
  if (text.length > QUERY_CHARS_MAX) {
    throw new QueryError(QUERY_CHARS_MAX, "more", `at most ${QUERY_CHARS_MAX} characters`);
  }
  const tokens: Token[] = [];
  let isTraceQl = false;
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (SPACE.test(char)) {
      at += 1;
      continue;
    }
    const token = readToken(text, at, char, isTraceQl);
    isTraceQl ||= token.kind === "operator" && (token.text === "{" || token.text === "|");
    tokens.push(token);
    at += token.source.length;
  }
  tokens.push({ kind: "end", text: "", at: text.length, source: "", quotedFrom: -1 });
  return tokens;
}

function readToken(text: string, at: number, char: string, isTraceQl: boolean): Token {
  if (char === '"' || char === "`") {
    const { value, end } = char === '"' ? readQuoted(text, at) : readRaw(text, at);
    return { kind: "string", text: value, at, source: text.slice(at, end), quotedFrom: -1 };
  }
  const operator = matchAt(OPERATOR, text, at) ?? (isTraceQl ? matchAt(ARITHMETIC, text, at) : undefined);
  if (operator !== undefined) return { kind: "operator", text: operator, at, source: operator, quotedFrom: -1 };
  return readWord(text, at, isTraceQl ? [NUMBER, ATTRIBUTE, NAME, WORD] : [WORD]);
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function readWord(text: string, at: number, patterns: readonly RegExp[]): Token {
  let plain: string | undefined;
  for (const pattern of patterns) plain ??= matchAt(pattern, text, at);
  if (plain === undefined)
    throw new QueryError(at, JSON.stringify(text.charAt(at)), "a field, a value or an operator such as && or ||");
  const end = at + plain.length;
  if (!plain.endsWith(".") || text.charAt(end) !== '"') return { kind: "word", text: plain, at, source: plain, quotedFrom: -1 };
  const quoted = readQuoted(text, end);
  return { kind: "word", text: plain + quoted.value, at, source: text.slice(at, quoted.end), quotedFrom: plain.length };
}

function readRaw(text: string, at: number): { value: string; end: number } {
  const close = text.indexOf("`", at + 1);
  if (close < 0) throw new QueryError(text.length, "the end", "a closing ` of the text that begins at character " + (at + 1));
  return { value: text.slice(at + 1, close), end: close + 1 };
}

function readQuoted(text: string, at: number): { value: string; end: number } {
  let value = "";
  let next = at + 1;
  while (next < text.length) {
    const char = text.charAt(next);
    if (char === '"') return { value, end: next + 1 };
    if (char !== "\\") {
      value += char;
      next += 1;
      continue;
    }
    const escape = readEscape(text, next);
    value += escape.value;
    next = escape.end;
  }
  throw new QueryError(text.length, "the end", `a closing " of the text that begins at character ${at + 1}`);
}

function readEscape(text: string, at: number): { value: string; end: number } {
  const code = text.charAt(at + 1);
  const plain = ESCAPES.get(code);
  if (plain !== undefined) return { value: plain, end: at + 2 };
  const hex = /^u([0-9a-fA-F]{4})/.exec(text.slice(at + 1, at + 6));
  if (hex?.[1] !== undefined) return { value: String.fromCharCode(Number.parseInt(hex[1], 16)), end: at + 6 };
  throw new QueryError(at, JSON.stringify(text.slice(at, at + 2)), 'one of the escapes \\n \\t \\r \\b \\f \\/ \\" \\\\ \\uXXXX');
}
