/**
 * Conditions on a span. Inside braces they are TraceQL:
 *
 *   span.http.status_code >= 500 && (resource.service.name = "cart" || .tier =~ "gold|silver") && duration > 250ms
 *
 * Without braces convenience rules hold: terms side by side are joined by `&&`, a key needs no scope (`key=value` is `.key`), a value no
 * quotes (`user=42` matches the number and the text), and a word of its own is looked for in span and service names, or is a trace id.
 */
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { readComparison, readUntyped } from "./comparison.ts";
import { QueryError, describeToken, type Token } from "./lexer.ts";
import {
  ATTRIBUTE_SCOPES,
  COMPARISONS,
  INTRINSICS,
  NESTING_MAX,
  TERM_COUNT_MAX,
  attribute,
  compare,
  intrinsic,
  joinExpressions,
  type Comparison,
  type Expression,
  type Field,
  type IntrinsicName,
  type Literal,
} from "./query.ts";
import type { TokenReader } from "./token-reader.ts";
import { parseDuration } from "./units.ts";

export const FIELD_EXPECTED =
  "a field such as span.http.route, resource.service.name, .user.id, name, duration, status, statusMessage, kind, rootName or traceDuration";
const VALUE_EXPECTED =
  "a value: a text in quotes, a number, a duration such as 250ms, true, false, nil, or a status or kind such as error or server";

const INTRINSIC_NAMES: ReadonlyMap<string, IntrinsicName> = new Map(
  // The keys of INTRINSICS are IntrinsicName.
  (Object.keys(INTRINSICS) as IntrinsicName[]).flatMap((name) =>
    [name, ...INTRINSICS[name].aliases].map((spelling) => [spelling, name] as const),
  ),
);

/** The field of a name: an intrinsic in any of its spellings, or a scoped attribute; undefined where it is neither. */
export function parseField(text: string, quotedFrom = -1): Field | undefined {
  const name = quotedFrom < 0 ? INTRINSIC_NAMES.get(text) : undefined;
  if (name !== undefined) return intrinsic(name);
  for (const scope of ATTRIBUTE_SCOPES) {
    const prefix = scope === "any" ? "." : `${scope}.`;
    if (text.startsWith(prefix) && text.length > prefix.length) return attribute(scope, text.slice(prefix.length));
  }
  return undefined;
}

/** Reads conditions on a span. One parser reads all of a query, so that its comparisons are counted together. */
export class ExpressionParser {
  readonly #tokens: TokenReader;
  readonly #isStrict: boolean;
  #termCount = 0;

  /** Not strict: the convenience syntax, without braces. */
  constructor(tokens: TokenReader, isStrict: boolean) {
    this.#tokens = tokens;
    this.#isStrict = isStrict;
  }

  /** `{ ... }`, the condition within; null for `{ }`. */
  spanset(): Expression | null {
    this.#tokens.expect("{", "{");
    const expression = this.#tokens.takeIf("}") ? null : this.#or(0);
    if (expression !== null) this.#tokens.expect("}", "&&, || or a closing }");
    return expression;
  }

  /** Terms up to what is none. */
  terms(): Expression {
    return this.#or(0);
  }

  #or(depth: number): Expression {
    return this.#joined(
      "or",
      () => this.#and(depth),
      () => this.#tokens.takeIf("||"),
    );
  }

  #and(depth: number): Expression {
    return this.#joined(
      "and",
      () => this.#unary(depth),
      () => this.#tokens.takeIf("&&") || this.#beginsAnotherTerm(),
    );
  }

  #joined(kind: "and" | "or", readItem: () => Expression, goesOn: () => boolean): Expression {
    const first = readItem();
    const items = [first];
    while (goesOn()) items.push(readItem());
    return joinExpressions(kind, items) ?? first;
  }

  #beginsAnotherTerm(): boolean {
    const { kind, text } = this.#tokens.peek();
    return !this.#isStrict && (kind === "word" || kind === "string" || (kind === "operator" && (text === "(" || text === "!")));
  }

  #unary(depth: number): Expression {
    if (depth > NESTING_MAX) throw this.#tokens.fault(`at most ${NESTING_MAX} levels of ( and !`);
    if (this.#tokens.takeIf("!")) return { kind: "not", item: this.#unary(depth + 1) };
    if (this.#tokens.takeIf("(")) {
      const inner = this.#or(depth + 1);
      this.#tokens.expect(")", "&&, || or a closing )");
      return inner;
    }
    this.#termCount += 1;
    if (this.#termCount > TERM_COUNT_MAX) throw this.#tokens.fault(`at most ${TERM_COUNT_MAX} comparisons`);
    return this.#term();
  }

  #term(): Expression {
    const token = this.#tokens.peek();
    const field = this.#field(token);
    if (field === undefined) return this.#isStrict ? this.#flipped(token) : this.#searchWord(token);
    this.#tokens.take();
    const comparison = takeComparison(this.#tokens);
    if (comparison === undefined) {
      const isFlag = field.kind === "attribute" || INTRINSICS[field.name].type === "bool";
      if (!isFlag) throw this.#tokens.fault(`one of ${COMPARISONS.join(" ")}`);
      return compare(field, "=", { type: "bool", value: true });
    }
    const value = this.#tokens.peek();
    const literal = this.#literal(value);
    if (literal !== undefined) {
      this.#tokens.take();
      const isBare = !this.#isStrict && value.kind === "word" && literal.type !== "nil";
      return isBare && takesText(field)
        ? readUntyped(field, comparison, value)
        : readComparison(field, comparison, literal, value);
    }
    if (this.#isStrict || value.kind !== "word") throw this.#tokens.fault(VALUE_EXPECTED);
    this.#tokens.take();
    return readUntyped(field, comparison, value);
  }

  /** `500 <= span.x` is `span.x >= 500`. */
  #flipped(token: Token): Expression {
    const literal = this.#literal(token);
    if (literal === undefined) throw this.#tokens.fault(FIELD_EXPECTED);
    this.#tokens.take();
    const comparison = takeComparison(this.#tokens);
    if (comparison === undefined || comparison === "=~" || comparison === "!~") throw this.#tokens.fault("one of = != > < >= <=");
    const field = this.#field(this.#tokens.peek());
    if (field === undefined) throw this.#tokens.fault(FIELD_EXPECTED);
    this.#tokens.take();
    const flips: Partial<Record<Comparison, Comparison>> = { ">": "<", "<": ">", ">=": "<=", "<=": ">=" };
    return readComparison(field, flips[comparison] ?? comparison, literal, token);
  }

  #searchWord(token: Token): Expression {
    if (token.kind !== "word" && token.kind !== "string") throw this.#tokens.fault(`${FIELD_EXPECTED}, or a word to look for`);
    this.#tokens.take();
    if (/^[0-9a-f]{32}$/i.test(token.text)) {
      return compare(intrinsic("trace:id"), "=", { type: "string", value: token.text.toLowerCase() });
    }
    const value = `.*${token.text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}.*`;
    const items = [intrinsic("name"), attribute("resource", "service.name")].map((field) =>
      readComparison(field, "=~", { type: "string", value }, token),
    );
    return { kind: "or", items };
  }

  #field(token: Token): Field | undefined {
    if (token.kind !== "word") return undefined;
    const field = parseField(token.text, token.quotedFrom);
    if (field !== undefined || this.#isStrict) return field;
    const after = this.#tokens.peek(1);
    if (after.kind !== "operator" || !COMPARISONS.some((comparison) => comparison === after.text)) return undefined;
    return token.text === "service" ? attribute("resource", "service.name") : attribute("any", token.text);
  }

  #literal(token: Token): Literal | undefined {
    if (token.kind === "string") return { type: "string", value: token.text };
    return token.kind === "word" && token.quotedFrom < 0 ? parseLiteralWord(token) : undefined;
  }
}

/** Takes the comparison at hand; undefined where there is none. */
export function takeComparison(tokens: TokenReader): Comparison | undefined {
  const token = tokens.peek();
  const found = token.kind === "operator" ? COMPARISONS.find((comparison) => comparison === token.text) : undefined;
  if (found !== undefined) tokens.take();
  return found;
}

/** Whether a bare word may be meant as a text: `level=error`, `name=42`. */
function takesText(field: Field): boolean {
  if (field.kind === "attribute") return true;
  const { type } = INTRINSICS[field.name];
  return type === "string" || type === "id";
}

const INT64_MAX = 2n ** 63n - 1n;

/** A number, duration, status, kind, true, false or nil; undefined where the word is none of them. */
export function parseLiteralWord(token: Token): Literal | undefined {
  const { text } = token;
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
  const duration = parseDuration(text);
  return duration === undefined ? undefined : { type: "duration", value: duration };
}
