/** Arithmetic over leaves of any kind: fields of a span, or aggregates of a group. All of it is in 64-bit floating point, here and in SQL. */

/** Binding tighter from line to line; `^` groups from the right, the others from the left. */
export const ARITHMETIC_LEVELS = [["+", "-"], ["*", "/", "%"], ["^"]] as const;
export type ArithmeticOperator = (typeof ARITHMETIC_LEVELS)[number][number];

export type Arithmetic<Leaf> =
  | { readonly kind: "leaf"; readonly leaf: Leaf }
  | { readonly kind: "negative"; readonly item: Arithmetic<Leaf> }
  | {
      readonly kind: "binary";
      readonly operator: ArithmeticOperator;
      readonly left: Arithmetic<Leaf>;
      readonly right: Arithmetic<Leaf>;
    };

export function leafOf<Leaf>(leaf: Leaf): Arithmetic<Leaf> {
  return { kind: "leaf", leaf };
}

/** From left to right. */
export function listLeaves<Leaf>(node: Arithmetic<Leaf>): Leaf[] {
  if (node.kind === "leaf") return [node.leaf];
  return node.kind === "negative" ? listLeaves(node.item) : [...listLeaves(node.left), ...listLeaves(node.right)];
}

/** With parentheses around all that is put together, so that no order of operators need be known to read it. */
export function formatArithmetic<Leaf>(node: Arithmetic<Leaf>, formatLeaf: (leaf: Leaf) => string): string {
  const inner = (item: Arithmetic<Leaf>): string => {
    const text = formatArithmetic(item, formatLeaf);
    return item.kind === "leaf" && !text.startsWith("-") ? text : `(${text})`;
  };
  switch (node.kind) {
    case "leaf":
      return formatLeaf(node.leaf);
    case "negative": {
      // `-2` would be read as a literal.
      const text = inner(node.item);
      return /^\.?\d/.test(text) ? `-(${text})` : `-${text}`;
    }
    default:
      return `${inner(node.left)} ${node.operator} ${inner(node.right)}`;
  }
}

/** SQL of Float64 from SQL of Float64. The operators come from the closed list alone. */
export function compileArithmetic<Leaf>(node: Arithmetic<Leaf>, compileLeaf: (leaf: Leaf) => string): string {
  switch (node.kind) {
    case "leaf":
      return compileLeaf(node.leaf);
    case "negative":
      return `negate(${compileArithmetic(node.item, compileLeaf)})`;
    default:
      return `${SQL_FUNCTIONS[node.operator]}(${compileArithmetic(node.left, compileLeaf)}, ${compileArithmetic(node.right, compileLeaf)})`;
  }
}

const SQL_FUNCTIONS: Readonly<Record<ArithmeticOperator, string>> = {
  "+": "plus",
  "-": "minus",
  "*": "multiply",
  "/": "divide",
  "%": "modulo",
  "^": "pow",
};

/** NaN where a leaf is. */
export function calculate<Leaf>(node: Arithmetic<Leaf>, numberOf: (leaf: Leaf) => number): number {
  if (node.kind === "leaf") return numberOf(node.leaf);
  if (node.kind === "negative") return -calculate(node.item, numberOf);
  const left = calculate(node.left, numberOf);
  const right = calculate(node.right, numberOf);
  switch (node.operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "%":
      // As ClickHouse does it (src/Functions/modulo.cpp), which is not the exact rest: both must find the same.
      return left - Math.trunc(left / right) * right;
    default:
      // NaN ** 0 would be 1.
      return Number.isNaN(left) ? left : left ** right;
  }
}
