/**
 * Comparisons with attributes. Span attributes live in four maps by type; resource, scope, event and link attributes are canonical JSON
 * texts (schemas/otlp/canonical-json.ts). A comparison looks only at values of the literal's type, numbers at integers and doubles.
 */
import { compileText, type Bindings } from "./bindings.ts";
import { attributeNames } from "./conventions.ts";
import type { AttributeScope, Comparison, Literal } from "./query.ts";

/** How one place where attributes live answers; `key` is a placeholder. */
interface Place {
  /** The name under which the place keeps an attribute. */
  readonly nameOf: (key: string) => string;
  readonly has: (key: string) => string;
  /** A condition that is false where the attribute is absent or of another type. */
  readonly compare: (key: string, comparison: Comparison, literal: Literal, bindings: Bindings) => string;
}

const SPAN_MAPS = ["attr_string", "attr_int", "attr_double", "attr_json"] as const;

const SPAN: Place = {
  nameOf: (key) => key,
  has: (key) => anyOf(SPAN_MAPS.map((map) => `mapContains(${map}, ${key})`)),
  compare: compareSpan,
};

function compareSpan(key: string, comparison: Comparison, literal: Literal, bindings: Bindings): string {
  const within = (map: (typeof SPAN_MAPS)[number], test: string): string => `(mapContains(${map}, ${key}) AND ${test})`;
  switch (literal.type) {
    case "string": {
      const test = compileText(`attr_string[${key}]`, comparison, literal.value, bindings);
      const absentMatches = comparison !== "=" || literal.value === "";
      return absentMatches ? within("attr_string", test) : test;
    }
    case "int": {
      const whole = `attr_int[${key}] ${comparison} ${bindings.bind("Int64", literal.value)}`;
      const double = `attr_double[${key}] ${comparison} ${bindings.bind("Float64", Number(literal.value))}`;
      return anyOf([within("attr_int", whole), within("attr_double", double)]);
    }
    case "double": {
      const value = bindings.bind("Float64", literal.value);
      return anyOf([
        within("attr_int", `attr_int[${key}] ${comparison} ${value}`),
        within("attr_double", `attr_double[${key}] ${comparison} ${value}`),
      ]);
    }
    case "bool":
      return `attr_json[${key}] = ${bindings.bind("String", String((comparison === "=") === literal.value))}`;
    default:
      return "0";
  }
}

/** Attributes of the canonical JSON text in `subject`, the SQL of a string. */
function jsonPlace(subject: string): Place {
  const typeIn = (key: string, types: string): string => `JSONType(${subject}, ${key}) IN (${types})`;
  const number = (key: string, comparison: Comparison, value: string): string =>
    `(${typeIn(key, "'Int64', 'UInt64', 'Double'")} AND JSONExtractFloat(${subject}, ${key}) ${comparison} ${value})`;
  return {
    nameOf: canonicalKey,
    has: (key) => `JSONHas(${subject}, ${key})`,
    compare: (key, comparison, literal, bindings) => {
      switch (literal.type) {
        case "string": {
          const test = compileText(`JSONExtractString(${subject}, ${key})`, comparison, literal.value, bindings);
          return comparison === "=" && literal.value !== "" ? test : `(${typeIn(key, "'String'")} AND ${test})`;
        }
        case "int": {
          const whole = `(${typeIn(key, "'Int64', 'UInt64'")} AND JSONExtractInt(${subject}, ${key}) ${comparison} ${bindings.bind("Int64", literal.value)})`;
          const value = bindings.bind("Float64", Number(literal.value));
          return anyOf([whole, `(${typeIn(key, "'Double'")} AND JSONExtractFloat(${subject}, ${key}) ${comparison} ${value})`]);
        }
        case "double":
          return number(key, comparison, bindings.bind("Float64", literal.value));
        case "bool":
          return `(${typeIn(key, "'Bool'")} AND JSONExtractBool(${subject}, ${key}) = ${(comparison === "=") === literal.value ? 1 : 0})`;
        default:
          return "0";
      }
    },
  };
}

/** Canonical JSON doubles the "$" of a key that begins with one; single ones are its own marks. */
function canonicalKey(key: string): string {
  return key.startsWith("$") ? `$${key}` : key;
}

/** Holds where any item of the array of canonical JSON texts does. */
function arrayPlace(column: "event_attributes" | "link_attributes"): Place {
  const item = jsonPlace("item");
  return {
    nameOf: canonicalKey,
    has: (key) => `arrayExists(item -> ${item.has(key)}, ${column})`,
    compare: (key, comparison, literal, bindings) =>
      `arrayExists(item -> ${item.compare(key, comparison, literal, bindings)}, ${column})`,
  };
}

const RESOURCE = jsonPlace("resource");

const PLACES: Readonly<Record<AttributeScope, readonly Place[]>> = {
  span: [SPAN],
  resource: [RESOURCE],
  event: [arrayPlace("event_attributes")],
  link: [arrayPlace("link_attributes")],
  instrumentation: [jsonPlace("scope")],
  any: [SPAN, RESOURCE],
};

/** A condition over the columns of `spans`. */
export function compileAttribute(
  scope: AttributeScope,
  key: string,
  comparison: Comparison,
  literal: Literal,
  bindings: Bindings,
): string {
  const isService = key === "service.name" && (scope === "resource" || scope === "any");
  if (isService && literal.type === "string") return compileText("service", comparison, literal.value, bindings);
  const alternatives: string[] = [];
  for (const place of PLACES[scope]) {
    for (const name of attributeNames(key)) {
      const placeholder = bindings.bind("String", place.nameOf(name));
      alternatives.push(
        literal.type === "nil" ? place.has(placeholder) : place.compare(placeholder, comparison, literal, bindings),
      );
    }
  }
  const any = anyOf(alternatives);
  return literal.type === "nil" && comparison === "=" ? `NOT ${any}` : any;
}

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? "0") : `(${conditions.join(" OR ")})`;
}
