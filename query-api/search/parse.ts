/**
 * Text -> query. `parseQuery` reads a question about spans, one spanset; `parseTraceQuery` what finds traces; `parseSeriesQuery` what
 * becomes figures over time. All take the convenience syntax without braces, see parse-terms.ts.
 */
import { readTokens } from "./lexer.ts";
import { ConditionParser, TermCounter } from "./parse-condition.ts";
import { PipelineParser } from "./parse-pipeline.ts";
import { FUNCTION_EXPECTED, SeriesParser } from "./parse-series.ts";
import { TermParser } from "./parse-terms.ts";
import type { Query } from "./query.ts";
import { isSeriesFunction, type SeriesQuery } from "./series-query.ts";
import { TokenReader } from "./token-reader.ts";
import type { TraceQuery } from "./trace-query.ts";

/** One spanset. Throws QueryError, which points at the character and says what was expected. An empty text is `{}`. */
export function parseQuery(text: string): Query {
  const { tokens, conditions, terms } = open(text);
  if (tokens.peek().kind === "end") return { expression: null };
  const expression = terms === null ? conditions.spanset() : terms.terms();
  if (tokens.peek().kind !== "end") {
    throw tokens.fault(
      terms === null
        ? "the end: here each span is looked at by itself, by one spanset { ... }; relations and pipelines look at whole traces"
        : "another term, && or ||",
    );
  }
  return { expression };
}

/** All of TraceQL but functions over time. Throws QueryError as `parseQuery` does. */
export function parseTraceQuery(text: string): TraceQuery {
  const { tokens, conditions, terms } = open(text);
  if (tokens.peek().kind === "end") return { spanset: { kind: "filter", expression: null }, stages: [] };
  return new PipelineParser(tokens, conditions).parse(terms?.terms());
}

/** A function over time of the spans that a query leaves. Throws QueryError as `parseQuery` does. */
export function parseSeriesQuery(text: string): SeriesQuery {
  const { tokens, conditions, terms } = open(text);
  const before = new PipelineParser(tokens, conditions).parseBefore(isSeriesFunction, FUNCTION_EXPECTED, terms?.terms());
  return new SeriesParser(tokens, conditions).parse(before);
}

interface Opened {
  readonly tokens: TokenReader;
  readonly conditions: ConditionParser;
  /** null: the query begins in TraceQL. */
  readonly terms: TermParser | null;
}

/** Braces, alone or behind parentheses, are TraceQL; everything else is the convenience syntax. */
function open(text: string): Opened {
  const read = readTokens(text);
  const first = read.find((token) => token.kind !== "operator" || token.text !== "(");
  const isTraceQl = first?.kind === "operator" && first.text === "{";
  const tokens = new TokenReader(read);
  const counter = new TermCounter();
  return {
    tokens,
    conditions: new ConditionParser(tokens, counter),
    terms: isTraceQl ? null : new TermParser(tokens, counter),
  };
}
