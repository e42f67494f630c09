/** The pieces that stages and functions over time are made of: fields in parentheses, and numbers of groups. */
import { leafOf } from "./arithmetic.ts";
import { faultAt, readNumber } from "./calculation.ts";
import { QueryError, describeToken } from "./lexer.ts";
import { takeComparison, type ConditionParser } from "./parse-condition.ts";
import { FIELD_EXPECTED, parseField } from "./parse-field.ts";
import { ArithmeticParser, takeLiteral, type Parsed } from "./parse-operand.ts";
import {
  GROUP_FIELDS_EXPECTED,
  NESTING_MAX,
  isGroupField,
  type Comparison,
  type Field,
  type GroupField,
  type Operand,
} from "./query.ts";
import type { TokenReader } from "./token-reader.ts";
import {
  AGGREGATES,
  SPAN_NUMBER_EXPECTED,
  STAGE_FIELD_COUNT_MAX,
  isDuration,
  isSpanNumber,
  type Scalar,
  type ScalarLeaf,
  type Stage,
} from "./trace-query.ts";
import { DURATION_ACCEPTED } from "./units.ts";

/** Fields up to and with the closing parenthesis. */
export function takeGroupFields(tokens: TokenReader): GroupField[] {
  return takeFields(tokens, (field) => {
    if (!isGroupField(field)) throw tokens.fault(GROUP_FIELDS_EXPECTED);
    return field;
  });
}

/** As takeGroupFields; `check` sees each before it is taken. */
export function takeFields<F extends Field>(tokens: TokenReader, check: (field: Field) => F): F[] {
  const fields: F[] = [];
  do {
    if (fields.length >= STAGE_FIELD_COUNT_MAX) throw tokens.fault(`at most ${STAGE_FIELD_COUNT_MAX} fields`);
    const token = tokens.peek();
    const field = token.kind === "word" ? parseField(token.text, token.quotedFrom) : undefined;
    if (field === undefined) throw tokens.fault(FIELD_EXPECTED);
    fields.push(check(field));
    tokens.take();
  } while (tokens.takeIf(","));
  tokens.expect(")", "another field after a comma, or a closing )");
  return fields;
}

/** What aggregates and functions over time are taken of. */
export function takeSpanNumber(conditions: ConditionParser): Operand {
  const piece = conditions.operand();
  if (piece.kind === "other" || !isSpanNumber(piece.node)) throw faultAt(piece, SPAN_NUMBER_EXPECTED);
  return readNumber(piece);
}

/** One of = != > < >= <=. */
export function takeOrder(tokens: TokenReader): Comparison {
  const at = tokens.peek();
  const comparison = takeComparison(tokens);
  if (comparison === undefined || comparison === "=~" || comparison === "!~") {
    throw new QueryError(at.at, describeToken(at), "one of = != > < >= <=");
  }
  return comparison;
}

type ScalarPiece = Parsed<ScalarLeaf, never>;

/** `count() > 2`, `max(duration) > 3 * avg(duration)`. */
export class ScalarParser {
  readonly #tokens: TokenReader;
  readonly #conditions: ConditionParser;
  readonly #arithmetic: ArithmeticParser<ScalarLeaf, never>;

  constructor(tokens: TokenReader, conditions: ConditionParser) {
    this.#tokens = tokens;
    this.#conditions = conditions;
    this.#arithmetic = new ArithmeticParser<ScalarLeaf, never>(tokens, {
      primary: (depth) => this.#primary(depth),
      checkNumber: scalarOf,
    });
  }

  /** Whether what is at hand begins one. */
  isNext(): boolean {
    const { kind, text } = this.#tokens.peek();
    if (kind === "operator") return text === "(" || text === "-";
    return kind === "word" && (AGGREGATES.some((name) => name === text) || /^\.?\d/.test(text));
  }

  stage(): Stage {
    const left = scalarOf(this.#arithmetic.sum(0));
    const comparison = takeOrder(this.#tokens);
    const right = this.#arithmetic.sum(0);
    const expected = expectedBeside(left, scalarOf(right));
    if (expected !== undefined) throw new QueryError(right.token.at, describeToken(right.token), expected);
    return { kind: "aggregate", left, comparison, right: scalarOf(right) };
  }

  #primary(depth: number): ScalarPiece {
    if (depth > NESTING_MAX) throw this.#tokens.fault(`at most ${NESTING_MAX} levels of ( and -`);
    const token = this.#tokens.peek();
    if (this.#tokens.takeIf("(")) {
      const inner = this.#arithmetic.sum(depth + 1);
      this.#tokens.expect(")", "a closing )");
      return inner;
    }
    const aggregate = token.kind === "word" ? AGGREGATES.find((name) => name === token.text) : undefined;
    if (aggregate === undefined) return this.#literal();
    this.#tokens.take();
    this.#tokens.expect("(", "(");
    const operand = aggregate === "count" ? null : takeSpanNumber(this.#conditions);
    this.#tokens.expect(")", "a closing )");
    return { kind: "number", node: leafOf<ScalarLeaf>({ kind: "aggregate", aggregate, operand }), token };
  }

  #literal(): ScalarPiece {
    const token = this.#tokens.peek();
    const literal = takeLiteral(this.#tokens);
    const isNumber = literal?.type === "int" || literal?.type === "double" || literal?.type === "duration";
    if (literal === undefined || !isNumber)
      throw new QueryError(token.at, describeToken(token), "a number, a duration, or one of count(), avg(), max(), min(), sum()");
    return { kind: "number", node: leafOf<ScalarLeaf>({ kind: "literal", literal }), token };
  }
}

function scalarOf(piece: ScalarPiece): Scalar {
  return piece.kind === "number" ? piece.node : piece.other;
}

/** What a literal must be beside one aggregate alone; undefined where it is that, or where there is more to either side. */
function expectedBeside(left: Scalar, right: Scalar): string | undefined {
  if (left.kind !== "leaf" || left.leaf.kind !== "aggregate") return undefined;
  if (right.kind !== "leaf" || right.leaf.kind !== "literal") return undefined;
  const isOfDuration = right.leaf.literal.type === "duration";
  if (isDuration(left.leaf.operand)) return isOfDuration ? undefined : DURATION_ACCEPTED;
  const isPlain = left.leaf.operand === null || left.leaf.operand.kind === "leaf";
  return isOfDuration && isPlain ? "a number" : undefined;
}
