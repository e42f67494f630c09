/**
 * The little of ClickHouse's lexer that is needed to see where a statement's clauses are: words, strings, brackets, comments
 * (src/Parsers/Lexer.cpp). It works on one character per byte (latin1), so positions are byte offsets, and yields lazily, because what
 * follows the head of an INSERT is data and must not be read as SQL.
 */

import { EngineError, ERROR } from "../engine/errors.ts";

export interface Token {
  readonly kind: "word" | "string" | "quoted" | "open" | "close" | "semicolon" | "other";
  /** Byte offsets into the text. */
  readonly start: number;
  readonly end: number;
  /** Upper case for words, as written otherwise. */
  readonly text: string;
  /** Brackets open around it. */
  readonly depth: number;
}

const WORD = /\d\w*|[A-Za-z_$][\w$]*/y;
const SPACE = /[ \t\n\v\f\r\0]+/y;
const LINE_COMMENT = /(?:--|\/\/|#[ !])[^\n]*/y;
const HEREDOC_TAG = /\$\w*\$/y;
const QUOTES: Readonly<Record<string, Token["kind"]>> = { "'": "string", '"': "quoted", "`": "quoted" };

/**
 * Yields the tokens of SQL given as latin1. Unterminated strings and comments reach to the end. Throws EngineError SYNTAX_ERROR at a byte
 * beyond ASCII outside of quotes and comments: ClickHouse takes some for spaces, quotes or signs, and nothing may be read differently here.
 */
export function* tokensOf(text: string): Generator<Token, void, undefined> {
  let at = 0;
  let depth = 0;
  while (at < text.length) {
    const skipped = matchLength(SPACE, text, at) || matchLength(LINE_COMMENT, text, at) || blockCommentLength(text, at);
    if (skipped > 0) {
      at += skipped;
      continue;
    }
    const char = text.charAt(at);
    if (char > "\x7f") {
      throw new EngineError(
        ERROR.SYNTAX_ERROR,
        `Syntax error at byte ${at + 1}: a character beyond ASCII outside of quotes; quote the name.`,
      );
    }
    const kind = kindOf(char, text, at);
    const end = endOf(kind, char, text, at);
    if (kind === "close") depth = Math.max(0, depth - 1);
    const raw = text.slice(at, end);
    yield { kind, start: at, end, text: kind === "word" ? raw.toUpperCase() : raw, depth };
    if (kind === "open") depth += 1;
    at = end;
  }
}

function kindOf(char: string, text: string, at: number): Token["kind"] {
  const quoted = QUOTES[char];
  if (quoted !== undefined) return quoted;
  if (char === "$" && heredocEnd(text, at) > 0) return "string";
  if (matchLength(WORD, text, at) > 0) return "word";
  if (char === "(" || char === "[" || char === "{") return "open";
  if (char === ")" || char === "]" || char === "}") return "close";
  return char === ";" ? "semicolon" : "other";
}

function endOf(kind: Token["kind"], char: string, text: string, at: number): number {
  if (kind === "word") return at + matchLength(WORD, text, at);
  if (kind !== "string" && kind !== "quoted") return at + 1;
  if (char === "$") return heredocEnd(text, at);
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === char) {
      if (text[i + 1] !== char) return i + 1;
      i += 1;
    }
  }
  return text.length;
}

/** Where `$tag$ ... $tag$` ends; 0 where there is none. */
function heredocEnd(text: string, at: number): number {
  const tag = text.slice(at, at + matchLength(HEREDOC_TAG, text, at));
  const close = tag === "" ? -1 : text.indexOf(tag, at + tag.length);
  return close < 0 ? 0 : close + tag.length;
}

/** Block comments nest. */
function blockCommentLength(text: string, at: number): number {
  if (!text.startsWith("/*", at)) return 0;
  const edge = /\/\*|\*\//g;
  edge.lastIndex = at + 2;
  let depth = 1;
  for (let match = edge.exec(text); match !== null; match = edge.exec(text)) {
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return edge.lastIndex - at;
  }
  return text.length - at;
}

function matchLength(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex - at : 0;
}
