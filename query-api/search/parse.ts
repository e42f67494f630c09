/**
 * Text -> Query. Inside braces it is TraceQL:
 *
 *   { span.http.status_code >= 500 && (resource.service.name = "cart" || .tier =~ "gold|silver") && duration > 250ms }
 *
 * Without braces convenience rules hold: terms side by side are joined by `&&`, a key needs no scope (`key=value` is `.key`), a value no
 * quotes (`user=42` matches the number and the text), and a word of its own is looked for in span and service names, or is a trace id.
 */
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { readComparison, readUntyped } from "./comparison.ts";
import { QueryError, describeToken, readTokens, type Token } from "./lexer.ts";
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
  type Query,
} from "./query.ts";
import { parseDuration } from "./units.ts";

const FIELD_EXPECTED =
  "a field such as span.http.route, resource.service.name, .user.id, name, duration, status, statusMessage, kind, rootName or traceDuration";
const VALUE_EXPECTED =
  "a value: a text in quotes, a number, a duration such as 250ms, true, false, nil, or a status or kind such as error or server";

const INTRINSIC_NAMES: ReadonlyMap<string, IntrinsicName> = new Map(
  // The keys of INTRINSICS are IntrinsicName.
  (Object.keys(INTRINSICS) as IntrinsicName[]).flatMap((name) =>
    [name, ...INTRINSICS[name].aliases].map((spelling) => [spelling, name] as const),
  ),
);

/** Throws QueryError, which points at the character and says what was expected. An empty text is `{}`. */
export function parseQuery(text: string): Query {
  const tokens = readTokens(text);
  const isStrict = tokens[0]?.text === "{" && tokens[0].kind === "operator";
  return new Parser(tokens, isStrict).parse();
}

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

class Parser {
  readonly #tokens: readonly Token[];
  readonly #isStrict: boolean;
  #next = 0;
  #termCount = 0;

  constructor(tokens: readonly Token[], isStrict: boolean) {
    this.#tokens = tokens;
    this.#isStrict = isStrict;
  }

  parse(): Query {
    if (!this.#isStrict) {
      if (this.#peek().kind === "end") return { expression: null };
      const expression = this.#or(0);
      if (this.#peek().kind !== "end") throw this.#fault("another term, && or ||");
      return { expression };
    }
    this.#take();
    const expression = this.#takeIf("}") ? null : this.#or(0);
    if (expression !== null && !this.#takeIf("}")) throw this.#fault("&&, || or a closing }");
    if (this.#peek().kind !== "end") throw this.#fault("the end: this version reads one spanset { ... } without a pipeline");
    return { expression };
  }

  #or(depth: number): Expression {
    return this.#joined(
      "or",
      () => this.#and(depth),
      () => this.#takeIf("||"),
    );
  }

  #and(depth: number): Expression {
    return this.#joined(
      "and",
      () => this.#unary(depth),
      () => this.#takeIf("&&") || this.#beginsAnotherTerm(),
    );
  }

  #joined(kind: "and" | "or", readItem: () => Expression, goesOn: () => boolean): Expression {
    const first = readItem();
    const items = [first];
    while (goesOn()) items.push(readItem());
    return joinExpressions(kind, items) ?? first;
  }

  #beginsAnotherTerm(): boolean {
    const { kind, text } = this.#peek();
    return !this.#isStrict && (kind === "word" || kind === "string" || (kind === "operator" && (text === "(" || text === "!")));
  }

  #unary(depth: number): Expression {
    if (depth > NESTING_MAX) throw this.#fault(`at most ${NESTING_MAX} levels of ( and !`);
    if (this.#takeIf("!")) return { kind: "not", item: this.#unary(depth + 1) };
    if (this.#takeIf("(")) {
      const inner = this.#or(depth + 1);
      if (!this.#takeIf(")")) throw this.#fault("&&, || or a closing )");
      return inner;
    }
    this.#termCount += 1;
    if (this.#termCount > TERM_COUNT_MAX) throw this.#fault(`at most ${TERM_COUNT_MAX} comparisons`);
    return this.#term();
  }

  #term(): Expression {
    const token = this.#peek();
    const field = this.#field(token);
    if (field === undefined) return this.#isStrict ? this.#flipped(token) : this.#searchWord(token);
    this.#take();
    const comparison = this.#comparison();
    if (comparison === undefined) {
      if (field.kind === "intrinsic") throw this.#fault(`one of ${COMPARISONS.join(" ")}`);
      return compare(field, "=", { type: "bool", value: true });
    }
    const value = this.#peek();
    const literal = this.#literal(value);
    if (literal !== undefined) {
      this.#take();
      const isBare = !this.#isStrict && value.kind === "word" && literal.type !== "nil";
      return isBare && takesText(field)
        ? readUntyped(field, comparison, value)
        : readComparison(field, comparison, literal, value);
    }
    if (this.#isStrict || value.kind !== "word") throw this.#fault(VALUE_EXPECTED);
    this.#take();
    return readUntyped(field, comparison, value);
  }

  /** `500 <= span.x` is `span.x >= 500`. */
  #flipped(token: Token): Expression {
    const literal = this.#literal(token);
    if (literal === undefined) throw this.#fault(FIELD_EXPECTED);
    this.#take();
    const comparison = this.#comparison();
    if (comparison === undefined || comparison === "=~" || comparison === "!~") throw this.#fault("one of = != > < >= <=");
    const field = this.#field(this.#peek());
    if (field === undefined) throw this.#fault(FIELD_EXPECTED);
    this.#take();
    const flips: Partial<Record<Comparison, Comparison>> = { ">": "<", "<": ">", ">=": "<=", "<=": ">=" };
    return readComparison(field, flips[comparison] ?? comparison, literal, token);
  }

  #searchWord(token: Token): Expression {
    if (token.kind !== "word" && token.kind !== "string") throw this.#fault(`${FIELD_EXPECTED}, or a word to look for`);
    this.#take();
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
    const after = this.#tokens[this.#next + 1];
    if (after?.kind !== "operator" || !COMPARISONS.some((comparison) => comparison === after.text)) return undefined;
    return token.text === "service" ? attribute("resource", "service.name") : attribute("any", token.text);
  }

  #comparison(): Comparison | undefined {
    const token = this.#peek();
    const found = token.kind === "operator" ? COMPARISONS.find((comparison) => comparison === token.text) : undefined;
    if (found !== undefined) this.#take();
    return found;
  }

  #literal(token: Token): Literal | undefined {
    if (token.kind === "string") return { type: "string", value: token.text };
    return token.kind === "word" && token.quotedFrom < 0 ? parseLiteralWord(token) : undefined;
  }

  #peek(): Token {
    const token = this.#tokens[this.#next] ?? this.#tokens.at(-1);
    if (token === undefined) throw new QueryError(0, "nothing", FIELD_EXPECTED);
    return token;
  }

  #take(): void {
    this.#next += 1;
  }

  #takeIf(operator: string): boolean {
    const token = this.#peek();
    const isIt = token.kind === "operator" && token.text === operator;
    if (isIt) this.#take();
    return isIt;
  }

  #fault(expected: string): QueryError {
    const token = this.#peek();
    return new QueryError(token.at, describeToken(token), expected);
  }
}

/** Whether a bare word may be meant as a text: `level=error`, `name=42`. */
function takesText(field: Field): boolean {
  if (field.kind === "attribute") return true;
  const { type } = INTRINSICS[field.name];
  return type === "string" || type === "id";
}

const INT64_MAX = 2n ** 63n - 1n;

function parseLiteralWord(token: Token): Literal | undefined {
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
