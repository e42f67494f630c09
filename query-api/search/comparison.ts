/** Which comparisons make sense: a field's type against the literal's. */
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { QueryError, describeToken, type Token } from "./lexer.ts";
import {
  INTRINSICS,
  REGEX_CHARS_MAX,
  compare,
  formatField,
  joinExpressions,
  unreachable,
  type Comparison,
  type Expression,
  type Field,
  type Literal,
} from "./query.ts";
import { DURATION_ACCEPTED } from "./units.ts";

/** Throws QueryError at the value where the two do not go together. */
export function readComparison(field: Field, comparison: Comparison, literal: Literal, value: Token): Expression {
  const fault = (expected: string): QueryError => new QueryError(value.at, describeToken(value), expected);
  if (literal.type === "nil") {
    const isNullable = field.kind === "attribute" || field.name === "span:parentID";
    if (!isNullable) throw fault(`no nil: every span has ${formatField(field)}`);
    if (comparison !== "=" && comparison !== "!=") throw fault("a value; nil goes with = and != only");
    return compare(field, comparison, literal);
  }
  if (comparison === "=~" || comparison === "!~") return readRegex(field, comparison, literal, fault);
  return field.kind === "attribute"
    ? readAttributeComparison(field, comparison, literal, fault)
    : readIntrinsicComparison(field, comparison, literal, fault);
}

type FaultOf = (expected: string) => QueryError;

function readRegex(field: Field, comparison: Comparison, literal: Literal, fault: FaultOf): Expression {
  if (field.kind === "intrinsic" && INTRINSICS[field.name].type !== "string") {
    throw fault(`another comparison: ${formatField(field)} is not a text, so ${comparison} does not apply`);
  }
  if (literal.type !== "string") throw fault("a regular expression (RE2) in quotes");
  if (literal.value.length > REGEX_CHARS_MAX) throw fault(`a regular expression of at most ${REGEX_CHARS_MAX} characters`);
  if (literal.value.includes("\0")) throw fault("a regular expression without NUL");
  return compare(field, comparison, literal);
}

function readAttributeComparison(field: Field, comparison: Comparison, literal: Literal, fault: FaultOf): Expression {
  if (literal.type === "duration") throw fault("a number or a text in quotes: attributes have no duration type");
  if (literal.type === "status" || literal.type === "kind") throw fault(`a text in quotes: "${literal.value}"`);
  if (literal.type === "bool" && comparison !== "=" && comparison !== "!=")
    throw fault("a number or a text: true and false go with = and != only");
  return compare(field, comparison, literal);
}

function readIntrinsicComparison(
  field: Field & { kind: "intrinsic" },
  comparison: Comparison,
  literal: Literal,
  fault: FaultOf,
): Expression {
  const isEquality = comparison === "=" || comparison === "!=";
  const { type } = INTRINSICS[field.name];
  switch (type) {
    case "string":
      if (literal.type !== "string") throw fault("a text in quotes");
      return compare(field, comparison, literal);
    case "duration":
      if (literal.type !== "duration") throw fault(DURATION_ACCEPTED);
      return compare(field, comparison, literal);
    case "status": {
      const status =
        literal.type === "status" || literal.type === "string" ? STATUS_CODES.find((code) => code === literal.value) : undefined;
      if (status === undefined || !isEquality) throw fault(`= or != with one of ${STATUS_CODES.join(", ")}`);
      return compare(field, comparison, { type: "status", value: status });
    }
    case "kind": {
      const kind =
        literal.type === "kind" || literal.type === "string" ? SPAN_KINDS.find((name) => name === literal.value) : undefined;
      if (kind === undefined || !isEquality) throw fault(`= or != with one of ${SPAN_KINDS.join(", ")}`);
      return compare(field, comparison, { type: "kind", value: kind });
    }
    case "count":
      if (literal.type !== "int") throw fault("a whole number");
      return compare(field, comparison, literal);
    case "bool":
      if (literal.type !== "bool" || !isEquality) throw fault("= or != with true or false");
      return compare(field, comparison, literal);
    case "id":
      return readId(field, comparison, literal, fault);
    default:
      return unreachable(type);
  }
}

function readId(field: Field & { kind: "intrinsic" }, comparison: Comparison, literal: Literal, fault: FaultOf): Expression {
  const digits = field.name === "trace:id" || field.name === "link:traceID" ? 32 : 16;
  const isId = literal.type === "string" && /^[0-9a-f]+$/i.test(literal.value) && literal.value.length === digits;
  if (!isId || (comparison !== "=" && comparison !== "!=")) throw fault(`= or != with ${digits} hex digits in quotes`);
  return compare(field, comparison, { type: "string", value: literal.value.toLowerCase() });
}

/**
 * A bare value of the convenience syntax, `key=value`: it matches what it could be meant as. `user=42` is
 * `.user = "42" || .user = 42`; `!=` wants both to differ where the attribute is there.
 */
export function readUntyped(field: Field, comparison: Comparison, value: Token): Expression {
  const fault = (expected: string): QueryError => new QueryError(value.at, describeToken(value), expected);
  if (field.kind === "intrinsic" || comparison === "=~" || comparison === "!~") {
    return readComparison(field, comparison, { type: "string", value: value.text }, value);
  }
  const meanings = untypedMeanings(value.text, comparison);
  const items = meanings.map((literal) => readAttributeComparison(field, comparison, literal, fault));
  return joinExpressions("or", items) ?? readAttributeComparison(field, comparison, { type: "string", value: value.text }, fault);
}

/** The literals that a text without a type may stand for. */
export function untypedMeanings(text: string, comparison: Comparison): Literal[] {
  const isOrder = comparison !== "=" && comparison !== "!=";
  if (!isOrder && (text === "true" || text === "false")) {
    return [
      { type: "string", value: text },
      { type: "bool", value: text === "true" },
    ];
  }
  const number = parseNumber(text);
  if (number === undefined) return [{ type: "string", value: text }];
  return isOrder ? [number] : [{ type: "string", value: text }, number];
}

function parseNumber(text: string): Literal | undefined {
  if (/^-?\d{1,18}$/.test(text)) return { type: "int", value: BigInt(text) };
  const isDouble = /^-?\d{1,300}\.\d{1,300}$/.test(text) && Number.isFinite(Number(text));
  return isDouble ? { type: "double", value: Number(text) } : undefined;
}
