/** Fields of spans as TraceQL names them, their conditions, and the fields that a selection itself names. */
import type { AttributeValue } from "@callchain/schemas/span/span.ts";
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import {
  attribute,
  compare,
  formatField,
  formatQuery,
  listFields,
  type Field,
  type Literal,
  type Query,
} from "../search/query.ts";

export interface NamedField {
  readonly text: string;
  /** Every spelling under which the field may stand in an answer. */
  readonly spellings: ReadonlySet<string>;
}

/** The fields that the query compares, each once. */
export function fieldsOf({ expression }: Query): NamedField[] {
  const found = new Map<string, NamedField>();
  for (const field of expression?.kind === "chosen" ? expression.spans.fields : listFields(expression))
    found.set(formatField(field), { text: formatField(field), spellings: spellingsOf(field) });
  return [...found.values()];
}

function spellingsOf(field: Field): Set<string> {
  if (field.kind === "intrinsic") return new Set([field.name]);
  const scopes = field.scope === "any" ? (["span", "resource"] as const) : [field.scope];
  return new Set(scopes.flatMap((scope) => attributeNames(field.key).map((key) => formatField(attribute(scope, key)))));
}

export function isLeftOut(field: string, named: readonly NamedField[]): boolean {
  return named.some(({ spellings }) => spellings.has(field));
}

/** The comparison in TraceQL, without braces. */
export function formatCondition(field: Field, comparison: "=" | ">=" | "<", literal: Literal): string {
  return formatQuery({ expression: compare(field, comparison, literal) }).slice(2, -2);
}

/** What `=` takes for the value; null for what TraceQL has no literal for. */
export function literalOf(value: AttributeValue): Literal | null {
  switch (value.type) {
    case "string":
      return { type: "string", value: value.value };
    case "int":
      return { type: "int", value: value.value };
    case "double":
      return Number.isFinite(value.value) ? { type: "double", value: value.value } : null;
    case "bool":
      return { type: "bool", value: value.value };
    default:
      return null;
  }
}
