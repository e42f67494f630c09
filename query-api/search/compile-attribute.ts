/**
 * Comparisons with attributes. Span attributes live in four maps by type, and equality has an index (schemas/clickhouse/search-sql.ts);
 * resource, scope, event and link attributes are canonical JSON texts (schemas/otlp/canonical-json.ts). A comparison looks only at
 * values of the literal's type, numbers at integers and doubles.
 */
import { spanAttributeInSql } from "@callchain/schemas/clickhouse/search-sql.ts";
import { textMapOf } from "@callchain/schemas/clickhouse/word-keys.ts";
import { compileText, type Bindings } from "./bindings.ts";
import { canonicalKey } from "./canonical-key.ts";
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import type { AttributeScope, Comparison, Literal } from "./query.ts";

export interface CompileContext {
  readonly bindings: Bindings;
  /** Condition that holds sub-selects to the spans in question. */
  readonly traceScope: string;
  /** null: not known. */
  readonly resources: KnownResources | null;
}

/** What is known of the resources that the spans in question have. */
export interface KnownResources {
  /** A SELECT of them as `resource`, without parameters; it may have others, too. */
  readonly source: string;
  /** Attribute names that any of them has, or null where that was not asked. */
  readonly keys: ReadonlySet<string> | null;
}

/** The resource's service.name has a column of its own. */
export function isServiceName(scope: AttributeScope, key: string): boolean {
  return key === "service.name" && (scope === "resource" || scope === "any");
}

/** A condition over the columns of `spans`. */
export function compileAttribute(
  scope: AttributeScope,
  key: string,
  comparison: Comparison,
  literal: Literal,
  context: CompileContext,
): string {
  if (isServiceName(scope, key) && literal.type === "string")
    return compileText("service", comparison, literal.value, context.bindings);
  const isAbsence = literal.type === "nil" && comparison === "=";
  const wanted: Wanted = { names: attributeNames(key), comparison, literal, context };
  const places = scope === "any" ? (["span", "resource"] as const) : [scope];
  const anywhere = anyOf(places.flatMap((place) => PLACES[place](wanted)));
  return isAbsence ? `NOT ${anywhere}` : anywhere;
}

/** nil asks whether the attribute is there; its absence is the negation. */
interface Wanted {
  readonly names: readonly string[];
  readonly comparison: Comparison;
  readonly literal: Literal;
  readonly context: CompileContext;
}

/** Alternatives: the condition holds where one of them does; none, never. */
type CompilePlace = (wanted: Wanted) => string[];

const PLACES: Readonly<Record<Exclude<AttributeScope, "any">, CompilePlace>> = {
  span: compileSpan,
  resource: compileResource,
  event: (wanted) => [`arrayExists(item -> ${anyOf(compileJson("item", wanted))}, event_attributes)`],
  link: (wanted) => [`arrayExists(item -> ${anyOf(compileJson("item", wanted))}, link_attributes)`],
  instrumentation: (wanted) => compileJson("scope", wanted),
};

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? "0") : conditions.length === 0 ? "0" : `(${conditions.join(" OR ")})`;
}

type SpanMap = "attr_word" | "attr_string" | "attr_int" | "attr_double" | "attr_json";
/** Of values of every type: the texts of an attribute lie in one map or the other. */
const spanMapsOf = (key: string): readonly SpanMap[] => [textMapOf(key), "attr_int", "attr_double", "attr_json"];

const hasKey = (map: SpanMap, key: string): string => `has(${map}.keys, ${key})`;
/** Half the cost of `map[key]`, which rebuilds the keys as full strings. An absent key gives the type's default. */
const valueIn = (map: SpanMap, key: string): string => `${map}.values[indexOf(${map}.keys, ${key})]`;

function compileSpan({ names, comparison, literal, context: { bindings } }: Wanted): string[] {
  const bind = bindings.bind.bind(bindings);
  const isIndexed = comparison === "=" && (literal.type === "string" || literal.type === "int");
  const indexed = isIndexed ? [spanAttributeInSql(names, [literal], bind)] : [];
  const each = (test: (key: string, name: string) => string[]): string[] =>
    names.flatMap((name) => test(bindings.bind("String", name), name));
  const within = (map: SpanMap, key: string, test: string): string => `(${hasKey(map, key)} AND ${test})`;
  switch (literal.type) {
    case "nil":
      return each((key, name) => spanMapsOf(name).map((map) => hasKey(map, key)));
    case "string":
      if (isIndexed) return indexed;
      return each((key, name) => {
        const map = textMapOf(name);
        return [within(map, key, compileText(valueIn(map, key), comparison, literal.value, bindings))];
      });
    case "int":
    case "double": {
      const double = bindings.bind("Float64", Number(literal.value));
      const whole = literal.type === "int" ? bindings.bind("Int64", literal.value) : double;
      return [
        ...indexed,
        ...each((key) => [
          ...(isIndexed ? [] : [within("attr_int", key, `${valueIn("attr_int", key)} ${comparison} ${whole}`)]),
          within("attr_double", key, `${valueIn("attr_double", key)} ${comparison} ${double}`),
        ]),
      ];
    }
    case "bool": {
      const text = bindings.bind("String", String((comparison === "=") === literal.value));
      return each((key) => [`${valueIn("attr_json", key)} = ${text}`]);
    }
    default:
      return [];
  }
}

/** Above any number of distinct resources; its presence keeps ClickHouse from parsing JSON per span instead of per resource. */
export const RESOURCE_COUNT_MAX = 1_000_000_000;

/** Resources are few: the JSON of each is looked at once, and spans are found by the dictionary's index. */
function compileResource(wanted: Wanted): string[] {
  const { resources, traceScope } = wanted.context;
  const keys = resources?.keys ?? null;
  const names = wanted.names.filter((name) => keys === null || keys.has(canonicalKey(name)));
  if (names.length === 0) return [];
  const source = resources === null ? `spans WHERE ${traceScope}` : `(${resources.source})`;
  const all = `SELECT DISTINCT resource FROM ${source} LIMIT ${RESOURCE_COUNT_MAX}`;
  return [`resource IN (SELECT resource FROM (${all}) WHERE ${anyOf(compileJson("resource", { ...wanted, names }))})`];
}

/** Attributes of the canonical JSON text in `subject`, the SQL of a string. */
function compileJson(subject: string, { names, comparison, literal, context: { bindings } }: Wanted): string[] {
  return names.map((name) => {
    const key = bindings.bind("String", canonicalKey(name));
    const isOfType = (types: string): string => `JSONType(${subject}, ${key}) IN (${types})`;
    const numberTest = (value: string): string => `JSONExtractFloat(${subject}, ${key}) ${comparison} ${value}`;
    switch (literal.type) {
      case "nil":
        return `JSONHas(${subject}, ${key})`;
      case "string": {
        const test = compileText(`JSONExtractString(${subject}, ${key})`, comparison, literal.value, bindings);
        return `(${isOfType("'String'")} AND ${test})`;
      }
      case "int": {
        const whole = `JSONExtractInt(${subject}, ${key}) ${comparison} ${bindings.bind("Int64", literal.value)}`;
        const double = numberTest(bindings.bind("Float64", Number(literal.value)));
        return `((${isOfType("'Int64', 'UInt64'")} AND ${whole}) OR (${isOfType("'Double'")} AND ${double}))`;
      }
      case "double":
        return `(${isOfType("'Int64', 'UInt64', 'Double'")} AND ${numberTest(bindings.bind("Float64", literal.value))})`;
      case "bool":
        return `(${isOfType("'Bool'")} AND JSONExtractBool(${subject}, ${key}) = ${(comparison === "=") === literal.value ? 1 : 0})`;
      default:
        return "0";
    }
  });
}
