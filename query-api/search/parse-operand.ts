/**
 * Operands and arithmetic, for whatever the leaves are:
 *
 *   sum = product { ( "+" | "-" ) product }     product = unary { ( "*" | "/" | "%" ) unary }
 *   unary = "-" unary | power                   power = leaf [ "^" unary ]
 */
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { ARITHMETIC_LEVELS, type Arithmetic, type ArithmeticOperator } from "./arithmetic.ts";
import { QueryError, describeToken, type Token } from "./lexer.ts";
import { NESTING_MAX, type Literal } from "./query.ts";
import type { TokenReader } from "./token-reader.ts";
import { parseDuration } from "./units.ts";

const INT64_MAX = 2n ** 63n - 1n;

/** A number, duration, status, kind, true, false or nil; undefined where the word is none of them. `sign` is "-" or nothing. */
export function parseLiteralWord(token: Token, sign: "" | "-" = ""): Literal | undefined {
  const text = sign + token.text;
  if (text === "true" || text === "false") return { type: "bool", value: text === "true" };
  if (text === "nil") return { type: "nil" };
  const status = STATUS_CODES.find((code) => code === text);
  if (status !== undefined) return { type: "status", value: status };
  const kind = SPAN_KINDS.find((name) => name === text);
  if (kind !== undefined) return { type: "kind", value: kind };
  if (/^-?\d+$/.test(text)) {
    const value = BigInt(text);
    if (value > INT64_MAX || value < -INT64_MAX - 1n)
      throw new QueryError(token.at, describeToken(token), "an integer of at most 64 bits");
    return { type: "int", value };
  }
  if (/^-?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?$/.test(text)) {
    const value = Number(text);
    if (!Number.isFinite(value)) throw new QueryError(token.at, describeToken(token), "a number within the range of a double");
    return { type: "double", value };
  }
  const duration = parseDuration(token.text);
  return duration === undefined ? undefined : { type: "duration", value: sign === "-" ? -duration : duration };
}

/** Takes a literal with its sign; undefined where there is none. */
export function takeLiteral(tokens: TokenReader): Literal | undefined {
  const isNegative = isNegativeLiteral(tokens);
  const word = tokens.peek(isNegative ? 1 : 0);
  const isPlain = word.kind === "word" && word.quotedFrom < 0;
  const literal: Literal | undefined =
    word.kind === "string"
      ? { type: "string", value: word.text }
      : isPlain
        ? parseLiteralWord(word, isNegative ? "-" : "")
        : undefined;
  if (literal === undefined) return undefined;
  if (isNegative) tokens.take();
  tokens.take();
  return literal;
}

/** `-2`, but not the sign of `-2 ^ 2`, which binds less tight. */
function isNegativeLiteral(tokens: TokenReader): boolean {
  const [word, after] = [tokens.peek(1), tokens.peek(2)];
  const isPower = after.kind === "operator" && after.text === "^";
  return tokens.is("-") && word.kind === "word" && /^\.?\d/.test(word.text) && !isPower;
}

/** What a parser of conditions makes of parentheses may be no number: `Other`. */
export type Parsed<Leaf, Other> =
  | { readonly kind: "number"; readonly node: Arithmetic<Leaf>; readonly token: Token }
  | { readonly kind: "other"; readonly other: Other; readonly token: Token };

export interface LeafParser<Leaf, Other> {
  /** A leaf, or what stands in parentheses. */
  readonly primary: (depth: number) => Parsed<Leaf, Other>;
  /** Throws where what was read cannot be calculated with. */
  readonly checkNumber: (parsed: Parsed<Leaf, Other>) => Arithmetic<Leaf>;
}

export class ArithmeticParser<Leaf, Other> {
  readonly #tokens: TokenReader;
  readonly #leaves: LeafParser<Leaf, Other>;

  constructor(tokens: TokenReader, leaves: LeafParser<Leaf, Other>) {
    this.#tokens = tokens;
    this.#leaves = leaves;
  }

  sum(depth: number): Parsed<Leaf, Other> {
    return this.#level(0, depth);
  }

  #level(level: 0 | 1 | 2, depth: number): Parsed<Leaf, Other> {
    if (level === 2) return this.#unary(depth);
    const next = level === 0 ? 1 : 2;
    let left = this.#level(next, depth);
    for (;;) {
      const operator = ARITHMETIC_LEVELS[level].find((sign) => this.#tokens.is(sign));
      if (operator === undefined) return left;
      this.#tokens.take();
      left = this.#join(left, operator, this.#level(next, depth));
    }
  }

  #unary(depth: number): Parsed<Leaf, Other> {
    const token = this.#tokens.peek();
    if (depth > NESTING_MAX) throw this.#tokens.fault(`at most ${NESTING_MAX} levels of (, ! and -`);
    if (!this.#tokens.is("-") || isNegativeLiteral(this.#tokens)) return this.#power(depth);
    this.#tokens.take();
    const item = this.#leaves.checkNumber(this.#unary(depth + 1));
    return { kind: "number", node: { kind: "negative", item }, token };
  }

  #power(depth: number): Parsed<Leaf, Other> {
    const left = this.#leaves.primary(depth);
    if (!this.#tokens.takeIf("^")) return left;
    return this.#join(left, "^", this.#unary(depth + 1));
  }

  #join(left: Parsed<Leaf, Other>, operator: ArithmeticOperator, right: Parsed<Leaf, Other>): Parsed<Leaf, Other> {
    const { checkNumber } = this.#leaves;
    return {
      kind: "number",
      node: { kind: "binary", operator, left: checkNumber(left), right: checkNumber(right) },
      token: left.token,
    };
  }
}
