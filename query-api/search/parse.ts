/**
 * Text -> query. `parseQuery` reads a question about spans, one spanset; `parseTraceQuery` what finds traces; `parseSeriesQuery` what
 * becomes figures over time. All take the convenience syntax without braces, see parse-expression.ts.
 *
 *   query    = spansets { "|" stage }
 *   spansets = all { "||" all }        all = relation { "&&" relation }        relation = operand { [ "!" | "&" ] sign operand }
 *   operand  = "{" condition "}" | "(" query ")"                               sign = ">" | ">>" | "<" | "<<" | "~"
 *   stage    = "{" condition "}" | "count" "(" ")" comparison number | ( "avg" | "max" | "min" | "sum" ) "(" field ")" comparison value
 *            | ( "by" | "select" ) "(" field { "," field } ")" | "coalesce" "(" ")"
 *   series   = "{" condition "}" { "|" "{" condition "}" } "|" function "(" [ field { "," quantile } ] ")" [ "by" "(" field { "," field } ")" ]
 */
import { QueryError, describeToken, readTokens, type Token } from "./lexer.ts";
import { ExpressionParser, FIELD_EXPECTED, parseField, parseLiteralWord, takeComparison } from "./parse-expression.ts";
import {
  NESTING_MAX,
  GROUP_FIELDS_EXPECTED,
  isGroupField,
  joinQueries,
  type Comparison,
  type Field,
  type GroupField,
  type Literal,
  type Query,
} from "./query.ts";
import { QUANTILE_COUNT_MAX, SERIES_FUNCTIONS, isSeriesFunction, type SeriesQuery } from "./series-query.ts";
import { TokenReader } from "./token-reader.ts";
import {
  AGGREGATES,
  RELATIONS,
  SPANSET_COUNT_MAX,
  STAGE_COUNT_MAX,
  STAGE_FIELD_COUNT_MAX,
  type Aggregate,
  type NumericField,
  type RelationForm,
  type RelationSign,
  type Spanset,
  type Stage,
  type TraceQuery,
} from "./trace-query.ts";
import { DURATION_ACCEPTED } from "./units.ts";

/** One spanset. Throws QueryError, which points at the character and says what was expected. An empty text is `{}`. */
export function parseQuery(text: string): Query {
  const { tokens, expressions, isStrict } = open(text);
  if (tokens.peek().kind === "end") return { expression: null };
  const expression = isStrict ? expressions.spanset() : expressions.terms();
  if (tokens.peek().kind !== "end") {
    throw tokens.fault(
      isStrict
        ? "the end: here a query is one spanset { ... }; pipelines and relations are for the search of traces"
        : "another term, && or ||",
    );
  }
  return { expression };
}

/** All of TraceQL. Throws QueryError as `parseQuery` does. */
export function parseTraceQuery(text: string): TraceQuery {
  const { tokens, expressions, isStrict } = open(text);
  if (tokens.peek().kind === "end") return { spanset: { kind: "filter", expression: null }, stages: [] };
  return new PipelineParser(tokens, expressions, isStrict).parse();
}

/** A function over time of the spans of one spanset. Throws QueryError as `parseQuery` does. */
export function parseSeriesQuery(text: string): SeriesQuery {
  const { tokens, expressions, isStrict } = open(text);
  const isEmpty = tokens.peek().kind === "end";
  const first = isEmpty ? null : isStrict ? expressions.spanset() : expressions.terms();
  return new PipelineParser(tokens, expressions, isStrict).series({ expression: first });
}

interface Opened {
  readonly tokens: TokenReader;
  readonly expressions: ExpressionParser;
  readonly isStrict: boolean;
}

/** Braces, alone or behind parentheses, are TraceQL; everything else is the convenience syntax. */
function open(text: string): Opened {
  const read = readTokens(text);
  const first = read.find((token) => token.kind !== "operator" || token.text !== "(");
  const isStrict = first?.kind === "operator" && first.text === "{";
  const tokens = new TokenReader(read);
  return { tokens, expressions: new ExpressionParser(tokens, isStrict), isStrict };
}

const STAGE_EXPECTED = "a stage: { ... }, count(), avg(), max(), min(), sum(), by(), select() or coalesce()";

class PipelineParser {
  readonly #tokens: TokenReader;
  readonly #expressions: ExpressionParser;
  readonly #isStrict: boolean;
  #spansetCount = 0;
  #stageCount = 0;

  constructor(tokens: TokenReader, expressions: ExpressionParser, isStrict: boolean) {
    this.#tokens = tokens;
    this.#expressions = expressions;
    this.#isStrict = isStrict;
  }

  parse(): TraceQuery {
    const spanset: Spanset = this.#isStrict ? this.#or(0) : { kind: "filter", expression: this.#expressions.terms() };
    const stages = this.#stages();
    if (this.#tokens.peek().kind !== "end") {
      const signs = this.#isStrict && stages.length === 0 ? "&&, ||, > >> < << ~ (also behind ! or &), " : "";
      throw this.#tokens.fault(`${this.#isStrict ? "" : "another term, &&, ||, "}${signs}| and a stage, or the end`);
    }
    return { spanset, stages };
  }

  /** The rest of a query whose first spanset has been read. */
  series(first: Query): SeriesQuery {
    let query = first;
    for (;;) {
      this.#tokens.expect("|", `| and a function over time: ${Object.keys(SERIES_FUNCTIONS).join(", ")}`);
      if (!this.#tokens.is("{")) break;
      query = joinQueries(query, { expression: this.#expressions.spanset() });
    }
    const name = this.#tokens.peek().text;
    if (this.#tokens.peek().kind !== "word" || !isSeriesFunction(name)) {
      throw this.#tokens.fault(`a function over time: ${Object.keys(SERIES_FUNCTIONS).join(", ")}`);
    }
    this.#tokens.take();
    this.#tokens.expect("(", "(");
    const takes = SERIES_FUNCTIONS[name];
    const field = takes === "nothing" ? null : this.#numericField();
    const quantiles = takes === "quantiles" ? this.#quantiles() : [];
    this.#tokens.expect(")", "a closing )");
    const isGrouped = this.#tokens.peek().kind === "word" && this.#tokens.peek().text === "by";
    if (isGrouped) this.#tokens.take();
    if (isGrouped) this.#tokens.expect("(", "(");
    const by = isGrouped ? this.#fields() : [];
    if (this.#tokens.peek().kind !== "end") throw this.#tokens.fault(isGrouped ? "the end" : "by(...) or the end");
    return { query, function: name, field, quantiles, by };
  }

  #quantiles(): number[] {
    const quantiles: number[] = [];
    do {
      if (quantiles.length >= QUANTILE_COUNT_MAX) throw this.#tokens.fault(`at most ${QUANTILE_COUNT_MAX} quantiles`);
      this.#tokens.expect(",", "a comma and a quantile from 0 to 1");
      const { kind, text } = this.#tokens.peek();
      if (kind !== "word" || !/^(0?\.\d{1,6}|[01](\.0{1,6})?)$/.test(text))
        throw this.#tokens.fault("a quantile from 0 to 1, e.g. 0.99");
      this.#tokens.take();
      quantiles.push(Number(text));
    } while (this.#tokens.is(","));
    return quantiles;
  }

  #or(depth: number): Spanset {
    let left = this.#and(depth);
    while (this.#tokens.takeIf("||")) left = { kind: "or", left, right: this.#and(depth) };
    return left;
  }

  #and(depth: number): Spanset {
    let left = this.#related(depth);
    while (this.#tokens.takeIf("&&")) left = { kind: "and", left, right: this.#related(depth) };
    return left;
  }

  #related(depth: number): Spanset {
    let left = this.#operand(depth);
    for (;;) {
      const relation = readRelation(this.#tokens.peek());
      if (relation === undefined) return left;
      this.#tokens.take();
      left = { kind: "related", ...relation, left, right: this.#operand(depth) };
    }
  }

  #operand(depth: number): Spanset {
    if (this.#tokens.is("{")) {
      this.#spansetCount += 1;
      if (this.#spansetCount > SPANSET_COUNT_MAX) throw this.#tokens.fault(`at most ${SPANSET_COUNT_MAX} spansets`);
      return { kind: "filter", expression: this.#expressions.spanset() };
    }
    if (depth > NESTING_MAX) throw this.#tokens.fault(`at most ${NESTING_MAX} levels of (`);
    this.#tokens.expect("(", "a spanset { ... } or one in parentheses");
    const spanset = this.#or(depth + 1);
    const stages = this.#stages();
    this.#tokens.expect(")", "&&, ||, a relation such as >>, | and a stage, or a closing )");
    return stages.length === 0 ? spanset : { kind: "piped", spanset, stages };
  }

  #stages(): Stage[] {
    const stages: Stage[] = [];
    while (this.#tokens.takeIf("|")) {
      this.#stageCount += 1;
      if (this.#stageCount > STAGE_COUNT_MAX) throw this.#tokens.fault(`at most ${STAGE_COUNT_MAX} stages`);
      stages.push(this.#stage());
    }
    return stages;
  }

  #stage(): Stage {
    if (this.#tokens.is("{")) {
      this.#spansetCount += 1;
      if (this.#spansetCount > SPANSET_COUNT_MAX) throw this.#tokens.fault(`at most ${SPANSET_COUNT_MAX} spansets`);
      return { kind: "filter", expression: this.#expressions.spanset() };
    }
    const token = this.#tokens.peek();
    const name = token.kind === "word" ? token.text : "";
    const aggregate = AGGREGATES.find((known) => known === name);
    if (aggregate !== undefined) {
      this.#tokens.take();
      return this.#aggregate(aggregate);
    }
    if (name !== "by" && name !== "select" && name !== "coalesce") throw this.#tokens.fault(STAGE_EXPECTED);
    this.#tokens.take();
    this.#tokens.expect("(", "(");
    if (name === "coalesce") {
      this.#tokens.expect(")", "a closing )");
      return { kind: "coalesce" };
    }
    return { kind: name, fields: this.#fields() };
  }

  /** Up to and with the closing parenthesis. */
  #fields(): GroupField[] {
    const fields: GroupField[] = [];
    do {
      if (fields.length >= STAGE_FIELD_COUNT_MAX) throw this.#tokens.fault(`at most ${STAGE_FIELD_COUNT_MAX} fields`);
      const field = this.#field();
      if (!isGroupField(field)) throw this.#tokens.fault(GROUP_FIELDS_EXPECTED);
      this.#tokens.take();
      fields.push(field);
    } while (this.#tokens.takeIf(","));
    this.#tokens.expect(")", "another field after a comma, or a closing )");
    return fields;
  }

  /** The field at hand, which is not taken. */
  #field(): Field {
    const token = this.#tokens.peek();
    const field = token.kind === "word" ? parseField(token.text, token.quotedFrom) : undefined;
    if (field === undefined) throw this.#tokens.fault(FIELD_EXPECTED);
    return field;
  }

  #aggregate(aggregate: Aggregate): Stage {
    this.#tokens.expect("(", "(");
    const field = aggregate === "count" ? null : this.#numericField();
    this.#tokens.expect(")", "a closing )");
    const comparison = this.#order();
    const value = this.#tokens.peek();
    const literal = this.#number(value, field);
    this.#tokens.take();
    return { kind: "aggregate", aggregate, field, comparison, literal };
  }

  #numericField(): NumericField {
    const field = this.#field();
    if (field.kind === "intrinsic" && field.name === "duration") {
      this.#tokens.take();
      return "duration";
    }
    if (!isGroupField(field) || field.kind === "intrinsic") {
      throw this.#tokens.fault("duration, or an attribute of the span or the resource");
    }
    this.#tokens.take();
    return field;
  }

  #order(): Comparison {
    const at = this.#tokens.peek();
    const comparison = takeComparison(this.#tokens);
    if (comparison === undefined || comparison === "=~" || comparison === "!~") {
      throw new QueryError(at.at, describeToken(at), "one of = != > < >= <=");
    }
    return comparison;
  }

  #number(token: Token, field: NumericField | null): Literal {
    const literal = token.kind === "word" && token.quotedFrom < 0 ? parseLiteralWord(token) : undefined;
    if (field === "duration") {
      if (literal?.type !== "duration") throw this.#tokens.fault(DURATION_ACCEPTED);
    } else if (literal?.type !== "int" && literal?.type !== "double") throw this.#tokens.fault("a number");
    return literal;
  }
}

function readRelation({ kind, text }: Token): { sign: RelationSign; form: RelationForm } | undefined {
  if (kind !== "operator") return undefined;
  const form: RelationForm = text.startsWith("!") ? "negated" : text.startsWith("&") ? "union" : "plain";
  const rest = form === "plain" ? text : text.slice(1);
  return isSign(rest) ? { sign: rest, form } : undefined;
}

function isSign(text: string): text is RelationSign {
  return Object.hasOwn(RELATIONS, text);
}
