/**
 * Conditions on a span as they stand in braces:
 *
 *   span.http.status_code >= 500 && (resource.service.name = "cart" || .tier =~ "gold|silver") && duration > 2 * span.expected
 *
 *   condition = all { "||" all }     all = not { "&&" not }     not = "!" not | comparison
 *   comparison = sum [ sign sum ]    sum: see parse-operand.ts, whose parentheses may hold a condition or a number
 */
import { leafOf } from "./arithmetic.ts";
import { readNumber, readOperands, type Piece } from "./calculation.ts";
import { FIELD_EXPECTED, parseField } from "./parse-field.ts";
import { ArithmeticParser, takeLiteral } from "./parse-operand.ts";
import {
  COMPARISONS,
  INTRINSICS,
  NESTING_MAX,
  TERM_COUNT_MAX,
  compare,
  joinExpressions,
  type Comparison,
  type Expression,
  type OperandLeaf,
} from "./query.ts";
import type { TokenReader } from "./token-reader.ts";

export const VALUE_EXPECTED =
  "a value: a text in quotes, a number, a duration such as 250ms, true, false, nil, or a status or kind such as error or server";

/** Comparisons are counted over all of a query, whoever reads them. */
export class TermCounter {
  #count = 0;

  add(tokens: TokenReader): void {
    this.#count += 1;
    if (this.#count > TERM_COUNT_MAX) throw tokens.fault(`at most ${TERM_COUNT_MAX} comparisons`);
  }
}

export class ConditionParser {
  readonly #tokens: TokenReader;
  readonly #terms: TermCounter;
  readonly #arithmetic: ArithmeticParser<OperandLeaf, Expression>;
  /** Of the operand at hand, for what is said where it is none. */
  #isRightSide = false;

  constructor(tokens: TokenReader, terms: TermCounter) {
    this.#tokens = tokens;
    this.#terms = terms;
    this.#arithmetic = new ArithmeticParser(tokens, { primary: (depth) => this.#primary(depth), checkNumber: readNumber });
  }

  /** `{ ... }`, the condition within; null for `{ }`. */
  spanset(): Expression | null {
    this.#tokens.expect("{", "{");
    const expression = this.#tokens.takeIf("}") ? null : this.#asCondition(this.#or(0));
    if (expression !== null) this.#tokens.expect("}", "&&, || or a closing }");
    return expression;
  }

  /** What aggregates take. */
  operand(): Piece {
    this.#isRightSide = false;
    return this.#arithmetic.sum(0);
  }

  #or(depth: number): Piece {
    return this.#joined("or", "||", () => this.#joined("and", "&&", () => this.#not(depth)));
  }

  #joined(kind: "and" | "or", sign: string, readItem: () => Piece): Piece {
    const first = readItem();
    if (!this.#tokens.is(sign)) return first;
    const items = [this.#asCondition(first)];
    while (this.#tokens.takeIf(sign)) items.push(this.#asCondition(readItem()));
    return { kind: "other", other: joinExpressions(kind, items) ?? { kind, items }, token: first.token };
  }

  #not(depth: number): Piece {
    if (depth > NESTING_MAX) throw this.#tokens.fault(`at most ${NESTING_MAX} levels of (, ! and -`);
    const token = this.#tokens.peek();
    if (!this.#tokens.takeIf("!")) return this.#comparison(depth);
    return { kind: "other", other: { kind: "not", item: this.#asCondition(this.#not(depth + 1)) }, token };
  }

  #comparison(depth: number): Piece {
    this.#isRightSide = false;
    const left = this.#arithmetic.sum(depth);
    const comparison = takeComparison(this.#tokens);
    if (comparison === undefined) return left;
    this.#terms.add(this.#tokens);
    this.#isRightSide = true;
    const right = this.#arithmetic.sum(depth);
    return { kind: "other", other: readOperands(left, comparison, right), token: left.token };
  }

  #primary(depth: number): Piece {
    const token = this.#tokens.peek();
    const literal = takeLiteral(this.#tokens);
    if (literal !== undefined) return { kind: "number", node: leafOf<OperandLeaf>({ kind: "literal", literal }), token };
    if (this.#tokens.takeIf("(")) {
      const inner = this.#or(depth + 1);
      this.#tokens.expect(")", "&&, ||, a comparison or a closing )");
      return inner;
    }
    const field = token.kind === "word" ? parseField(token.text, token.quotedFrom) : undefined;
    if (field === undefined)
      throw this.#tokens.fault(this.#isRightSide ? `${VALUE_EXPECTED}, or a field` : `${FIELD_EXPECTED}, or a value`);
    this.#tokens.take();
    return { kind: "number", node: leafOf<OperandLeaf>({ kind: "field", field }), token };
  }

  /** An attribute alone asks whether it is true. */
  #asCondition(piece: Piece): Expression {
    if (piece.kind === "other") return piece.other;
    const leaf = piece.node.kind === "leaf" ? piece.node.leaf : undefined;
    const field = leaf?.kind === "field" ? leaf.field : undefined;
    if (field === undefined || (field.kind === "intrinsic" && INTRINSICS[field.name].type !== "bool")) {
      throw this.#tokens.fault(`one of ${COMPARISONS.join(" ")}`);
    }
    this.#terms.add(this.#tokens);
    return compare(field, "=", { type: "bool", value: true });
  }
}

/** Takes the comparison at hand; undefined where there is none. */
export function takeComparison(tokens: TokenReader): Comparison | undefined {
  const token = tokens.peek();
  const found = token.kind === "operator" ? COMPARISONS.find((comparison) => comparison === token.text) : undefined;
  if (found !== undefined) tokens.take();
  return found;
}
