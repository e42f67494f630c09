/**
 * Spansets, relations and stages:
 *
 *   query    = spansets { "|" stage }
 *   spansets = all { "||" all }        all = relation { "&&" relation }        relation = operand { [ "!" | "&" ] sign operand }
 *   operand  = "{" condition "}" | "(" query ")"                               sign = ">" | ">>" | "<" | "<<" | "~"
 *   stage    = "{" condition "}" | scalar comparison scalar | ( "by" | "select" ) "(" field { "," field } ")" | "coalesce" "(" ")"
 *   scalar   = arithmetic over numbers, "count" "(" ")" and ( "avg" | "max" | "min" | "sum" ) "(" number of a span ")"
 */
import type { QueryError, Token } from "./lexer.ts";
import type { ConditionParser } from "./parse-condition.ts";
import { ScalarParser, takeFields, takeGroupFields } from "./parse-stage.ts";
import { NESTING_MAX, type Expression } from "./query.ts";
import type { TokenReader } from "./token-reader.ts";
import {
  RELATIONS,
  SPANSET_COUNT_MAX,
  STAGE_COUNT_MAX,
  type RelationForm,
  type RelationSign,
  type Spanset,
  type Stage,
  type TraceQuery,
} from "./trace-query.ts";

const STAGE_EXPECTED = "a stage: { ... }, count(), avg(), max(), min(), sum(), by(), select() or coalesce()";

export class PipelineParser {
  readonly #tokens: TokenReader;
  readonly #conditions: ConditionParser;
  readonly #scalars: ScalarParser;
  #isFunction: (name: string) => boolean = () => false;
  #spansetCount = 0;
  #stageCount = 0;

  constructor(tokens: TokenReader, conditions: ConditionParser) {
    this.#tokens = tokens;
    this.#conditions = conditions;
    this.#scalars = new ScalarParser(tokens, conditions);
  }

  /** `terms`: the convenience syntax, where the query began in it. */
  parse(terms?: Expression): TraceQuery {
    const query = this.#pipeline(terms);
    if (this.#tokens.peek().kind !== "end") throw this.#fault(query, terms, "| and a stage, or the end");
    return query;
  }

  /** Up to the `|` before a function that is no stage; `expected` says which there are. */
  parseBefore(isFunction: (name: string) => boolean, expected: string, terms?: Expression): TraceQuery {
    this.#isFunction = isFunction;
    const query = this.#pipeline(terms);
    if (!this.#tokens.is("|")) throw this.#fault(query, terms, `| and a stage, or | and ${expected}`);
    return query;
  }

  #pipeline(terms?: Expression): TraceQuery {
    const spanset: Spanset = terms === undefined ? this.#or(0) : { kind: "filter", expression: terms };
    return { spanset, stages: this.#stages() };
  }

  #fault({ stages }: TraceQuery, terms: Expression | undefined, expected: string): QueryError {
    const signs = terms === undefined && stages.length === 0 ? "&&, ||, > >> < << ~ (also behind ! or &), " : "";
    return this.#tokens.fault(`${terms === undefined ? "" : "another term, &&, ||, "}${signs}${expected}`);
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
    if (this.#tokens.is("{")) return this.#filter();
    if (depth > NESTING_MAX) throw this.#tokens.fault(`at most ${NESTING_MAX} levels of (`);
    this.#tokens.expect("(", "a spanset { ... } or one in parentheses");
    const spanset = this.#or(depth + 1);
    const stages = this.#stages();
    this.#tokens.expect(")", "&&, ||, a relation such as >>, | and a stage, or a closing )");
    return stages.length === 0 ? spanset : { kind: "piped", spanset, stages };
  }

  #filter(): Spanset & Stage & { kind: "filter" } {
    this.#spansetCount += 1;
    if (this.#spansetCount > SPANSET_COUNT_MAX) throw this.#tokens.fault(`at most ${SPANSET_COUNT_MAX} spansets`);
    return { kind: "filter", expression: this.#conditions.spanset() };
  }

  #stages(): Stage[] {
    const stages: Stage[] = [];
    while (this.#tokens.is("|") && !this.#isFunction(this.#tokens.peek(1).text)) {
      this.#tokens.take();
      this.#stageCount += 1;
      if (this.#stageCount > STAGE_COUNT_MAX) throw this.#tokens.fault(`at most ${STAGE_COUNT_MAX} stages`);
      stages.push(this.#stage());
    }
    return stages;
  }

  #stage(): Stage {
    if (this.#tokens.is("{")) return this.#filter();
    if (this.#scalars.isNext()) return this.#scalars.stage();
    const { kind, text: name } = this.#tokens.peek();
    if (kind !== "word" || (name !== "by" && name !== "select" && name !== "coalesce")) throw this.#tokens.fault(STAGE_EXPECTED);
    this.#tokens.take();
    this.#tokens.expect("(", "(");
    if (name === "by") return { kind: name, fields: takeGroupFields(this.#tokens) };
    if (name === "select") return { kind: name, fields: takeFields(this.#tokens, (field) => field) };
    this.#tokens.expect(")", "a closing )");
    return { kind: name };
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
