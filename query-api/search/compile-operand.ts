/**
 * Comparisons of two operands -> SQL. An attribute is compared as what both sides have it as: numbers with numbers, texts with texts,
 * true and false with each other; it stands for its first value of that type, name by name, the span's before the resource's. All numbers
 * are Float64, NaN where there is none; texts are Nullable. Of a span's events and links any will do, the same one for all fields of
 * one comparison.
 */
import { textMapOf } from "@callchain/schemas/clickhouse/word-keys.ts";
import { compileArithmetic, listLeaves } from "./arithmetic.ts";
import type { Bindings } from "./bindings.ts";
import { typeOfOperand } from "./calculation.ts";
import { canonicalKey } from "./canonical-key.ts";
import type { CompileContext } from "./compile-attribute.ts";
import { NO_PARENT, SPAN, joinOfTraces, traceColumn } from "./compile-trace.ts";
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import {
  fieldsIn,
  type AttributeScope,
  type Comparison,
  type Expression,
  type Field,
  type IntrinsicName,
  type Operand,
  type OperandLeaf,
} from "./query.ts";

const EVENT_AT = "event_at";
const LINK_AT = "link_at";

/** A condition over the columns of `spans`, never NULL. */
export function compileCalculation(expression: Expression & { kind: "calculate" }, context: CompileContext): string {
  const { left, comparison, right } = expression;
  const { bindings, traceScope } = context;
  const fields = [...fieldsIn(left), ...fieldsIn(right)];
  const types = [typeOfOperand(left), typeOfOperand(right)];
  const conditions: string[] = [];
  if (!types.includes("text")) conditions.push(compareNumbers(left, comparison, right, bindings));
  if (!types.includes("number")) conditions.push(compareTexts(textOf(left, bindings), comparison, textOf(right, bindings)));
  const isEquality = comparison === "=" || comparison === "!=";
  if (isEquality && types.every((type) => type === "attribute"))
    conditions.push(compareTexts(flagOf(left, bindings), comparison, flagOf(right, bindings)));
  let condition = `(${conditions.join(" OR ")})`;
  if (fields.some((field) => placeOf(field) === "event"))
    condition = `arrayExists(${EVENT_AT} -> ${condition}, arrayEnumerate(event_time))`;
  if (fields.some((field) => placeOf(field) === "link"))
    condition = `arrayExists(${LINK_AT} -> ${condition}, arrayEnumerate(link_span_id))`;
  const ofTrace = fields.flatMap((field): IntrinsicName[] =>
    field.kind === "intrinsic" && traceColumn(field.name) !== undefined ? [field.name] : [],
  );
  if (ofTrace.length === 0) return condition;
  return `(trace_id, ${SPAN}) IN (SELECT trace_id, ${SPAN} FROM spans ${joinOfTraces(ofTrace, traceScope)} WHERE (${traceScope}) AND ${condition})`;
}

function placeOf(field: Field): "event" | "link" | undefined {
  const place = field.kind === "attribute" ? field.scope : field.name.split(":")[0];
  return place === "event" || place === "link" ? place : undefined;
}

/** SQL of Float64; NaN where some part of it is not there. */
export function compileNumber(operand: Operand, bindings: Bindings): string {
  return compileArithmetic(operand, (leaf) => leafNumber(leaf, bindings));
}

/**
 * `!=` and powers would make something of NaN. + 0 makes 0 of -0: ClickHouse makes keys of a join out of an equality between its two
 * sides, and hashes of them, and those two differ.
 */
function compareNumbers(left: Operand, comparison: Comparison, right: Operand, bindings: Bindings): string {
  const sides = [left, right].map((side) => compileNumber(side, bindings));
  const leaves = [left, right].flatMap(listLeaves).map((leaf) => leafNumber(leaf, bindings));
  const isThere = [...new Set([...leaves, ...sides])].map((sql) => `NOT isNaN(${sql})`);
  const compared = sides.map((side) => `plus(${side}, 0)`).join(` ${comparison} `);
  return `(${[...isThere, compared].join(" AND ")})`;
}

function leafNumber(leaf: OperandLeaf, bindings: Bindings): string {
  if (leaf.kind === "literal") {
    const { literal } = leaf;
    const isNumber = literal.type === "int" || literal.type === "double" || literal.type === "duration";
    return bindings.bind("Float64", isNumber ? Number(literal.value) : 0);
  }
  const { field } = leaf;
  if (field.kind === "attribute") return attributeNumber(field.scope, field.key, bindings);
  if (field.name === "duration") return "toFloat64(duration_nano)";
  if (field.name === "event:timeSinceStart")
    return `toFloat64(toUnixTimestamp64Nano(event_time[${EVENT_AT}]) - toUnixTimestamp64Nano(start))`;
  return `toFloat64(${traceColumn(field.name) ?? "nan"})`;
}

function attributeNumber(scope: AttributeScope, key: string, bindings: Bindings): string {
  const cases = attributeNames(key).flatMap((name) => {
    const bound = bindings.bind("String", name);
    const inMap = (map: string): string => `has(${map}.keys, ${bound}), toFloat64(${map}.values[indexOf(${map}.keys, ${bound})])`;
    const jsonKey = bindings.bind("String", canonicalKey(name));
    const inJson = jsonPlaces(scope).map(
      (json) => `JSONType(${json}, ${jsonKey}) IN ('Int64', 'UInt64', 'Double'), JSONExtractFloat(${json}, ${jsonKey})`,
    );
    return [...(isInMaps(scope) ? [inMap("attr_int"), inMap("attr_double")] : []), ...inJson];
  });
  return `multiIf(${cases.join(", ")}, nan)`;
}

/** SQL of Nullable(String). */
function textOf(operand: Operand, bindings: Bindings): string {
  const leaf = operand.kind === "leaf" ? operand.leaf : undefined;
  if (leaf?.kind === "literal")
    return `toNullable(${bindings.bind("String", leaf.literal.type === "string" ? leaf.literal.value : "")})`;
  const field = leaf?.field;
  if (field?.kind === "attribute") return attributeText(field.scope, field.key, bindings);
  return `toNullable(${INTRINSIC_TEXTS[field?.name ?? "name"] ?? "''"})`;
}

/** Those that are texts or ids; only these come here. */
const INTRINSIC_TEXTS: Readonly<Partial<Record<IntrinsicName, string>>> = {
  name: "toString(name)",
  statusMessage: "toString(status_message)",
  "instrumentation:name": "JSONExtractString(scope, '$name')",
  "instrumentation:version": "JSONExtractString(scope, '$version')",
  "event:name": `toString(event_name[${EVENT_AT}])`,
  "span:id": "lower(hex(span_id))",
  "span:parentID": `if(parent_span_id = ${NO_PARENT}, NULL, lower(hex(parent_span_id)))`,
  "trace:id": "lower(hex(trace_id))",
  "link:traceID": `lower(hex(link_trace_id[${LINK_AT}]))`,
  "link:spanID": `lower(hex(link_span_id[${LINK_AT}]))`,
};

function attributeText(scope: AttributeScope, key: string, bindings: Bindings): string {
  if (key === "service.name" && scope === "resource") return "toNullable(toString(service))";
  return firstPlace(
    scope,
    key,
    bindings,
    (key, name) => {
      const map = textMapOf(key);
      return `if(has(${map}.keys, ${name}), toString(${map}.values[indexOf(${map}.keys, ${name})]), NULL)`;
    },
    "String",
  );
}

/** 'true' or 'false'. */
function flagOf(operand: Operand, bindings: Bindings): string {
  const field = operand.kind === "leaf" && operand.leaf.kind === "field" ? operand.leaf.field : undefined;
  if (field?.kind !== "attribute") return "CAST(NULL, 'Nullable(String)')";
  const inMap = (_: string, name: string): string => {
    const value = `attr_json.values[indexOf(attr_json.keys, ${name})]`;
    return `if(${value} IN ('true', 'false'), ${value}, NULL)`;
  };
  return firstPlace(field.scope, field.key, bindings, inMap, "Bool");
}

function firstPlace(
  scope: AttributeScope,
  key: string,
  bindings: Bindings,
  inMap: (key: string, name: string) => string,
  type: "String" | "Bool",
): string {
  const extract = type === "String" ? "JSONExtractString" : "JSONExtractRaw";
  const places = attributeNames(key).flatMap((name) => {
    const jsonKey = bindings.bind("String", canonicalKey(name));
    const inJson = jsonPlaces(scope).map(
      (json) => `if(JSONType(${json}, ${jsonKey}) = '${type}', ${extract}(${json}, ${jsonKey}), NULL)`,
    );
    return [...(isInMaps(scope) ? [inMap(name, bindings.bind("String", name))] : []), ...inJson];
  });
  return `coalesce(${places.join(", ")})`;
}

function compareTexts(left: string, comparison: Comparison, right: string): string {
  return `ifNull(${left} ${comparison} ${right}, 0)`;
}

function isInMaps(scope: AttributeScope): boolean {
  return scope === "span" || scope === "any";
}

/** Where canonical JSON texts have attributes of the scope. */
function jsonPlaces(scope: AttributeScope): string[] {
  switch (scope) {
    case "span":
      return [];
    case "event":
      return [`event_attributes[${EVENT_AT}]`];
    case "link":
      return [`link_attributes[${LINK_AT}]`];
    case "instrumentation":
      return ["scope"];
    default:
      return ["resource"];
  }
}
