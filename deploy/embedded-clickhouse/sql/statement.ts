/**
 * What a statement is, as far as this server must know: where its answer goes, where the data of an INSERT begins. Offsets are bytes.
 */
import { EngineError, ERROR } from "../engine/errors.ts";
import { refuseOutside } from "./outside.ts";
import { tokensOf, type Token } from "./tokens.ts";

export type Statement =
  /** SELECT in all its forms; its answer is streamed. */
  | { readonly kind: "select"; readonly end: number; readonly formatAt: number | null; readonly format: string | null }
  /** INSERT whose rows follow the head: `head` ends where ` FROM INFILE` belongs, `tail` is what follows (SETTINGS). */
  | {
      readonly kind: "insert_data";
      readonly infileAt: number;
      readonly headEnd: number;
      readonly format: string;
      readonly dataAt: number;
    }
  /** INSERT ... SELECT ... FROM input('structure') ... FORMAT name: `input(...)` reaches from inputAt to inputEnd. */
  | {
      readonly kind: "insert_input";
      readonly inputAt: number;
      readonly inputEnd: number;
      /** The structure's literal as written. */
      readonly structure: string;
      readonly headEnd: number;
      readonly format: string;
      readonly dataAt: number;
    }
  /** Answers questions, changes nothing: SHOW, DESCRIBE, EXPLAIN, EXISTS, CHECK. */
  | { readonly kind: "question"; readonly end: number; readonly format: string | null }
  /** KILL QUERY or MUTATION; `idsAt` are the places of the word `query_id`. */
  | { readonly kind: "kill"; readonly end: number; readonly idsAt: readonly number[] }
  | { readonly kind: "insert_select"; readonly end: number }
  /** DDL, mutations, OPTIMIZE, SYSTEM and the like. */
  | { readonly kind: "change"; readonly end: number }
  | { readonly kind: "empty" };

const QUESTIONS: ReadonlySet<string> = new Set(["SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"]);
/** Words that cannot name a format, so that a column called `format` is not taken for the clause. */
const NOT_A_FORMAT: ReadonlySet<string> = new Set(
  (
    "FROM AS WHERE PREWHERE GROUP ORDER LIMIT OFFSET HAVING SETTINGS UNION INTERSECT EXCEPT AND OR NOT IN " +
    "LIKE ILIKE IS BETWEEN ASC DESC NULLS THEN ELSE END WHEN INTO DIV MOD USING ON JOIN LEFT RIGHT INNER " +
    "FULL CROSS ARRAY WINDOW QUALIFY WITH"
  ).split(" "),
);

/**
 * Reads the head of a statement given as latin1. Throws EngineError (SYNTAX_ERROR) for several statements and for clauses that would
 * let a request name a file of this machine.
 */
export function parseStatement(text: string): Statement {
  const cursor = new Cursor(text);
  const first = cursor.next();
  if (first === undefined) return { kind: "empty" };
  if (first.text === "INSERT") return parseInsert(first, cursor, text);
  const tokens = [first, ...cursor.rest()];
  const end = endOfStatement(tokens, text);
  const own = tokens.filter((token) => token.start < end);
  refuseOutside(own);
  if (first.kind === "open" || first.text === "SELECT" || first.text === "WITH" || first.text === "FROM")
    return parseSelect(own, end, text);
  if (QUESTIONS.has(first.text)) return { kind: "question", end, format: parseSelect(own, end, text).format };
  if (first.text !== "KILL") return { kind: "change", end };
  return { kind: "kill", end, idsAt: own.filter((token) => token.text === "QUERY_ID").map((token) => token.start) };
}

function parseSelect(tokens: readonly Token[], end: number, text: string): Statement & { readonly kind: "select" } {
  const at = tokens.findLastIndex((_token, i) => isFormatClause(tokens, i));
  const format = tokens[at];
  const name = tokens[at + 1];
  if (format === undefined || name === undefined) return { kind: "select", end, formatAt: null, format: null };
  return { kind: "select", end, formatAt: format.start, format: text.slice(name.start, name.end) };
}

/** `FORMAT name` at the end, or with SETTINGS after it. */
function isFormatClause(tokens: readonly Token[], at: number): boolean {
  const [word, name, after] = [tokens[at], tokens[at + 1], tokens[at + 2]];
  if (word?.text !== "FORMAT" || word.kind !== "word" || word.depth !== 0 || name?.kind !== "word" || NOT_A_FORMAT.has(name.text))
    return false;
  return after === undefined || after.text === "SETTINGS";
}

function parseInsert(insert: Token, cursor: Cursor, text: string): Statement {
  const seen: Token[] = [insert];
  let settingsAt: number | null = null;
  let isSelect = false;
  let nameEnd = 0;
  for (let token = cursor.next(); token !== undefined; token = cursor.next()) {
    seen.push(token);
    if (token.kind === "semicolon") break;
    if (nameEnd === 0) {
      nameEnd = tableNameEnd(token, cursor, seen);
      continue;
    }
    if (token.kind !== "word") continue;
    if (token.depth <= 1 && (token.text === "SELECT" || token.text === "WITH")) isSelect = true;
    if (token.depth !== 0) continue;
    if (token.text === "SETTINGS" && !isSelect) settingsAt = token.start;
    if (token.text === "VALUES" && !isSelect)
      return insertData(seen, text, settingsAt ?? token.start, token.start, "Values", token.end);
    if (token.text !== "FORMAT" || NOT_A_FORMAT.has(seen.at(-2)?.text ?? "")) continue;
    const name = cursor.next();
    if (name?.kind !== "word" || NOT_A_FORMAT.has(name.text)) {
      if (name !== undefined) seen.push(name);
      continue;
    }
    const written = text.slice(name.start, name.end);
    if (!isSelect) return insertData(seen, text, settingsAt ?? token.start, token.start, written, name.end);
    const input = findInput(seen, text);
    if (input === null) continue;
    refuseOutside(seen);
    return { kind: "insert_input", ...input, headEnd: token.start, format: written, dataAt: dataStart(text, name.end) };
  }
  refuseOutside(seen);
  return { kind: "insert_select", end: endOfStatement([...seen, ...cursor.rest()], text) };
}

function insertData(
  seen: readonly Token[],
  text: string,
  infileAt: number,
  headEnd: number,
  format: string,
  clauseEnd: number,
): Statement {
  refuseOutside(seen);
  return { kind: "insert_data", infileAt, headEnd, format, dataAt: dataStart(text, clauseEnd) };
}

/** Walks over `INTO [TABLE] [FUNCTION] db.table`; returns where it ends. A table may be called `format` or `values`. */
function tableNameEnd(token: Token, cursor: Cursor, seen: Token[]): number {
  let name: Token | undefined = token;
  while (name?.kind === "word" && ["INTO", "TABLE", "FUNCTION"].includes(name.text)) {
    name = cursor.next();
    if (name !== undefined) seen.push(name);
  }
  let end = name?.end ?? token.end;
  while (cursor.peek()?.text === ".") {
    for (const part of [cursor.next(), cursor.next()]) {
      if (part === undefined) break;
      seen.push(part);
      end = part.end;
    }
  }
  return end;
}

/** `input('structure')` among the tokens of INSERT ... SELECT. */
function findInput(tokens: readonly Token[], text: string): { inputAt: number; inputEnd: number; structure: string } | null {
  for (const [i, token] of tokens.entries()) {
    const [open, structure, close] = tokens.slice(i + 1, i + 4);
    if (token.text !== "INPUT" || token.kind !== "word" || open?.text !== "(") continue;
    if (structure?.kind !== "string" || close?.text !== ")") {
      throw new EngineError(
        ERROR.BAD_ARGUMENTS,
        "Table function input() needs its structure as one literal: input('column Type, ...').",
      );
    }
    return { inputAt: token.start, inputEnd: close.end, structure: text.slice(structure.start, structure.end) };
  }
  return null;
}

/** Spaces and one line break after the format name do not belong to the data (src/Parsers/ParserInsertQuery.cpp). */
function dataStart(text: string, clauseEnd: number): number {
  const space = /[ \t\f]*(?:\r?\n)?/y;
  space.lastIndex = clauseEnd;
  space.test(text);
  return space.lastIndex;
}

/** Where the statement ends; a second one behind it is refused as ClickHouse does. */
function endOfStatement(tokens: readonly Token[], text: string): number {
  const at = tokens.findIndex((token) => token.kind === "semicolon");
  if (at < 0) return tokens.at(-1)?.end ?? text.length;
  if (tokens.slice(at).some((token) => token.kind !== "semicolon")) {
    throw new EngineError(ERROR.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed).");
  }
  return tokens[at]?.start ?? text.length;
}

class Cursor {
  readonly #tokens: Generator<Token, void, undefined>;
  #ahead: Token | undefined;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  next(): Token | undefined {
    const token = this.peek();
    this.#ahead = undefined;
    return token;
  }

  peek(): Token | undefined {
    this.#ahead ??= this.#tokens.next().value ?? undefined;
    return this.#ahead;
  }

  *rest(): Generator<Token> {
    for (let token = this.next(); token !== undefined; token = this.next()) yield token;
  }
}
