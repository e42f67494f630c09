/**
 * Functions over time:
 *
 *   series   = query "|" ( figures | compare )        query: see parse-pipeline.ts
 *   figures  = function "(" [ number of a span { "," quantile } ] ")" [ "by" "(" field { "," field } ")" ] [ limit ] { "|" kept [ limit ] }
 *   kept     = ( "topk" | "bottomk" ) "(" count ")"         limit = comparison number
 *   compare  = "compare" "(" "{" condition "}" [ "," count [ "," from "," to ] ] ")"
 */
import { QueryError, describeToken } from "./lexer.ts";
import { takeComparison, type ConditionParser } from "./parse-condition.ts";
import { takeLiteral } from "./parse-operand.ts";
import { takeGroupFields, takeSpanNumber } from "./parse-stage.ts";
import { COMPARISONS, type Query } from "./query.ts";
import {
  QUANTILE_COUNT_MAX,
  SERIES_FUNCTIONS,
  TOP_COUNT_FALLBACK,
  TOP_COUNT_MAX,
  isSeriesFunction,
  type CompareQuery,
  type SeriesFunction,
  type SeriesQuery,
  type SeriesStage,
} from "./series-query.ts";
import type { TokenReader } from "./token-reader.ts";
import { STAGE_COUNT_MAX, isDuration, type TraceQuery } from "./trace-query.ts";
import { DURATION_ACCEPTED } from "./units.ts";

export const FUNCTION_EXPECTED = `a function over time: ${Object.keys(SERIES_FUNCTIONS).join(", ")}`;

export class SeriesParser {
  readonly #tokens: TokenReader;
  readonly #conditions: ConditionParser;

  constructor(tokens: TokenReader, conditions: ConditionParser) {
    this.#tokens = tokens;
    this.#conditions = conditions;
  }

  /** What follows the query: `|` and a function. */
  parse(query: TraceQuery): SeriesQuery {
    this.#tokens.expect("|", `| and ${FUNCTION_EXPECTED}`);
    const { text: name } = this.#tokens.peek();
    if (!isSeriesFunction(name)) throw this.#tokens.fault(FUNCTION_EXPECTED);
    this.#tokens.take();
    this.#tokens.expect("(", "(");
    return name === "compare" ? this.#compare(query) : this.#figures(query, name);
  }

  #figures(query: TraceQuery, name: SeriesFunction): SeriesQuery {
    const takes = SERIES_FUNCTIONS[name];
    const operand = takes === "nothing" ? null : takeSpanNumber(this.#conditions);
    const quantiles = takes === "quantiles" ? this.#quantiles() : [];
    this.#tokens.expect(")", "a closing )");
    const isGrouped = this.#isWord("by");
    if (isGrouped) this.#tokens.take();
    if (isGrouped) this.#tokens.expect("(", "(");
    const by = isGrouped ? takeGroupFields(this.#tokens) : [];
    const isOfDuration = isDuration(operand) && name !== "histogram_over_time";
    const stages = this.#threshold(isOfDuration);
    while (this.#tokens.takeIf("|")) {
      if (stages.length >= STAGE_COUNT_MAX) throw this.#tokens.fault(`at most ${STAGE_COUNT_MAX} stages`);
      stages.push(this.#kept(), ...this.#threshold(isOfDuration));
    }
    if (this.#tokens.peek().kind !== "end") {
      const grouping = isGrouped || stages.length > 0 ? "" : "by(...), ";
      throw this.#tokens.fault(`${grouping}one of ${COMPARISONS.slice(0, 6).join(" ")}, | and topk() or bottomk(), or the end`);
    }
    return { kind: "figures", query, function: name, operand, quantiles, by, stages };
  }

  #isWord(text: string): boolean {
    const token = this.#tokens.peek();
    return token.kind === "word" && token.text === text;
  }

  #kept(): SeriesStage {
    const kind = this.#isWord("topk") ? "topk" : this.#isWord("bottomk") ? "bottomk" : undefined;
    if (kind === undefined) throw this.#tokens.fault("topk() or bottomk()");
    this.#tokens.take();
    this.#tokens.expect("(", "(");
    const count = this.#count();
    this.#tokens.expect(")", "a closing )");
    return { kind, count };
  }

  /** None or one. */
  #threshold(isOfDuration: boolean): SeriesStage[] {
    const sign = this.#tokens.peek();
    const comparison = takeComparison(this.#tokens);
    if (comparison === undefined) return [];
    if (comparison === "=~" || comparison === "!~") throw new QueryError(sign.at, describeToken(sign), "one of = != > < >= <=");
    const value = this.#tokens.peek();
    const literal = takeLiteral(this.#tokens);
    const isNumber = literal?.type === "int" || literal?.type === "double";
    const isFit = isOfDuration ? literal?.type === "duration" : isNumber;
    if (literal === undefined || !isFit)
      throw new QueryError(value.at, describeToken(value), isOfDuration ? DURATION_ACCEPTED : "a number");
    return [{ kind: "threshold", comparison, literal }];
  }

  #count(): number {
    const { kind, text } = this.#tokens.peek();
    const count = kind === "word" && /^\d{1,4}$/.test(text) ? Number(text) : 0;
    if (count < 1 || count > TOP_COUNT_MAX) throw this.#tokens.fault(`a whole number from 1 to ${TOP_COUNT_MAX}`);
    this.#tokens.take();
    return count;
  }

  #compare(query: TraceQuery): CompareQuery {
    if (!this.#tokens.is("{")) throw this.#tokens.fault("the selection, one spanset { ... }");
    const selection: Query = { expression: this.#conditions.spanset() };
    const topCount = this.#tokens.takeIf(",") ? this.#count() : TOP_COUNT_FALLBACK;
    const window = this.#tokens.takeIf(",") ? this.#window() : null;
    this.#tokens.expect(")", window === null ? "a comma, or a closing )" : "a closing )");
    if (this.#tokens.peek().kind !== "end") throw this.#tokens.fault("the end");
    return { kind: "compare", query, selection, topCount, window };
  }

  #window(): { fromNano: bigint; toNano: bigint } {
    const fromNano = this.#nano();
    this.#tokens.expect(",", "a comma and the end of the selection in Unix nanoseconds");
    const end = this.#tokens.peek();
    const toNano = this.#nano();
    if (toNano <= fromNano) throw new QueryError(end.at, describeToken(end), "a time after the selection's start");
    return { fromNano, toNano };
  }

  #nano(): bigint {
    const { kind, text } = this.#tokens.peek();
    if (kind !== "word" || !/^\d{1,18}$|^[0-8]\d{18}$/.test(text)) throw this.#tokens.fault("a time in Unix nanoseconds");
    this.#tokens.take();
    return BigInt(text);
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
}
