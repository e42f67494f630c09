/** Two operands that are compared: which may be, and what they are compared as. */
import type { Arithmetic } from "./arithmetic.ts";
import { readComparison } from "./comparison.ts";
import { QueryError, describeToken } from "./lexer.ts";
import type { Parsed } from "./parse-operand.ts";
import {
  INTRINSICS,
  formatOperand,
  type Comparison,
  type Expression,
  type Field,
  type Literal,
  type Operand,
  type OperandLeaf,
} from "./query.ts";

/** What a parser of conditions reads: a condition, or an operand that may still become part of one. */
export type Piece = Parsed<OperandLeaf, Expression>;

/** "attribute": of whatever type the span has it in. null: it is compared with a literal alone. */
export type OperandType = "number" | "text" | "attribute" | null;

export function typeOfOperand(operand: Operand): OperandType {
  if (operand.kind !== "leaf") return "number";
  const { leaf } = operand;
  return leaf.kind === "literal" ? typeOfLiteral(leaf.literal) : typeOfField(leaf.field);
}

function typeOfLiteral({ type }: Literal): OperandType {
  if (type === "string") return "text";
  return type === "int" || type === "double" || type === "duration" ? "number" : null;
}

function typeOfField(field: Field): OperandType {
  if (field.kind === "attribute") return "attribute";
  // A trace may have several roots.
  if (field.name === "rootName" || field.name === "rootServiceName") return null;
  const { type } = INTRINSICS[field.name];
  if (type === "duration" || type === "count") return "number";
  return type === "string" || type === "id" ? "text" : null;
}

const FLIPS: Partial<Record<Comparison, Comparison>> = { ">": "<", "<": ">", ">=": "<=", "<=": ">=" };

/** Throws QueryError at the side that does not fit. */
export function readOperands(left: Piece, comparison: Comparison, right: Piece): Expression {
  const [leftNode, rightNode] = [operandOf(left), operandOf(right)];
  const [leftLeaf, rightLeaf] = [leftNode, rightNode].map((node) => (node.kind === "leaf" ? node.leaf : undefined));
  if (leftLeaf?.kind === "field" && rightLeaf?.kind === "literal") {
    return readComparison(leftLeaf.field, comparison, rightLeaf.literal, right.token);
  }
  const isRegex = comparison === "=~" || comparison === "!~";
  if (isRegex && leftLeaf?.kind !== "field") throw faultAt(left, `a field before ${comparison}`);
  if (isRegex) throw faultAt(right, "a regular expression (RE2) in quotes");
  if (leftLeaf?.kind === "literal" && rightLeaf?.kind === "field") {
    return readComparison(rightLeaf.field, FLIPS[comparison] ?? comparison, leftLeaf.literal, left.token);
  }
  const [leftType, rightType] = [typeOfOperand(leftNode), typeOfOperand(rightNode)];
  for (const [piece, type, node] of [[left, leftType, leftNode] as const, [right, rightType, rightNode] as const]) {
    if (type === null)
      throw faultAt(piece, `a number, a text or an attribute: ${formatOperand(node)} is compared with values alone`);
  }
  if (leftType !== rightType && leftType !== "attribute" && rightType !== "attribute") {
    throw faultAt(right, `a ${leftType ?? "value"} to compare with ${formatOperand(leftNode)}`);
  }
  return { kind: "calculate", left: leftNode, comparison, right: rightNode };
}

function operandOf(piece: Piece): Operand {
  if (piece.kind === "other") throw faultAt(piece, "a field, a value or a number, not a condition");
  return piece.node;
}

/** The operand, where numbers can be calculated of it. Throws QueryError. */
export function readNumber(piece: Piece): Arithmetic<OperandLeaf> {
  const node = operandOf(piece);
  const type = typeOfOperand(node);
  if (type !== "number" && type !== "attribute") throw faultAt(piece, `a number: ${formatOperand(node)} is none`);
  return node;
}

export function faultAt({ token }: Piece, expected: string): QueryError {
  return new QueryError(token.at, describeToken(token), expected);
}
