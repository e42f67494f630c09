/** A position in a query's tokens: what every part of the parser reads from. */
import { QueryError, describeToken, type Token } from "./lexer.ts";

export class TokenReader {
  readonly #tokens: readonly Token[];
  #next = 0;

  /** `tokens` end with one of kind "end", see readTokens. */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The token at hand, or one further on; beyond the last it is the end. */
  peek(ahead = 0): Token {
    const token = this.#tokens[this.#next + ahead] ?? this.#tokens.at(-1);
    if (token === undefined) throw new QueryError(0, "nothing", "a query");
    return token;
  }

  take(): void {
    this.#next += 1;
  }

  is(operator: string): boolean {
    const token = this.peek();
    return token.kind === "operator" && token.text === operator;
  }

  takeIf(operator: string): boolean {
    const isIt = this.is(operator);
    if (isIt) this.take();
    return isIt;
  }

  /** Takes the operator or throws what was expected. */
  expect(operator: string, expected: string): void {
    if (!this.takeIf(operator)) throw this.fault(expected);
  }

  /** Points at the token at hand. */
  fault(expected: string): QueryError {
    const token = this.peek();
    return new QueryError(token.at, describeToken(token), expected);
  }
}
