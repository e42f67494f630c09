/**
 * Conditions as people type them, without braces: terms side by side are joined by `&&`, a key needs no scope (`key=value` is `.key`), a
 * value no quotes (`user=42` matches the number and the text), and a word of its own is looked for in span and service names, or is a
 * trace id.
 */
import { readComparison, readUntyped } from "./comparison.ts";
import type { Token } from "./lexer.ts";
import { VALUE_EXPECTED, takeComparison, type TermCounter } from "./parse-condition.ts";
import { FIELD_EXPECTED, parseField } from "./parse-field.ts";
import { parseLiteralWord } from "./parse-operand.ts";
import {
  COMPARISONS,
  INTRINSICS,
  NESTING_MAX,
  attribute,
  compare,
  intrinsic,
  joinExpressions,
  type Expression,
  type Field,
  type Literal,
} from "./query.ts";
import type { TokenReader } from "./token-reader.ts";

export class TermParser {
  readonly #tokens: TokenReader;
  readonly #counter: TermCounter;

  constructor(tokens: TokenReader, counter: TermCounter) {
    this.#tokens = tokens;
    this.#counter = counter;
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
    return kind === "word" || kind === "string" || (kind === "operator" && (text === "(" || text === "!"));
  }

  #unary(depth: number): Expression {
    if (depth > NESTING_MAX) throw this.#tokens.fault(`at most ${NESTING_MAX} levels of ( and !`);
    if (this.#tokens.takeIf("!")) return { kind: "not", item: this.#unary(depth + 1) };
    if (this.#tokens.takeIf("(")) {
      const inner = this.#or(depth + 1);
      this.#tokens.expect(")", "&&, || or a closing )");
      return inner;
    }
    this.#counter.add(this.#tokens);
    return this.#term();
  }

  #term(): Expression {
    const token = this.#tokens.peek();
    const field = this.#field(token);
    if (field === undefined) return this.#searchWord(token);
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
      const isBare = value.kind === "word" && literal.type !== "nil";
      return isBare && takesText(field)
        ? readUntyped(field, comparison, value)
        : readComparison(field, comparison, literal, value);
    }
    if (value.kind !== "word") throw this.#tokens.fault(VALUE_EXPECTED);
    this.#tokens.take();
    return readUntyped(field, comparison, value);
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
    if (field !== undefined) return field;
    const after = this.#tokens.peek(1);
    if (after.kind !== "operator" || !COMPARISONS.some((comparison) => comparison === after.text)) return undefined;
    return token.text === "service" ? attribute("resource", "service.name") : attribute("any", token.text);
  }

  #literal(token: Token): Literal | undefined {
    if (token.kind === "string") return { type: "string", value: token.text };
    return token.kind === "word" && token.quotedFrom < 0 ? parseLiteralWord(token) : undefined;
  }
}

/** Whether a bare word may be meant as a text: `level=error`, `name=42`. */
function takesText(field: Field): boolean {
  if (field.kind === "attribute") return true;
  const { type } = INTRINSICS[field.name];
  return type === "string" || type === "id";
}
