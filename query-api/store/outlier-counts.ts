/** How many spans of each side have each value of each field. */
import type { OutlierField } from "@callchain/schemas/api/analysis.ts";
import type { QueryOptions, ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { parseResource } from "@callchain/schemas/clickhouse/rows.ts";
import { formatCanonicalValue, parseCanonicalValue } from "@callchain/schemas/otlp/canonical-json.ts";
import { SPAN_KINDS, STATUS_CODES, type AttributeValue } from "@callchain/schemas/span/span.ts";
import {
  buildField,
  findBounds,
  sumCounts,
  type CountedValue,
  type NumberBucket,
  type SideCounts,
} from "../analysis/outliers.ts";
import { attribute, formatField, intrinsic, type Field, type Literal } from "../search/query.ts";
import { formatDuration } from "../search/units.ts";
import { formatCondition, literalOf } from "./outlier-fields.ts";
import type { Asking } from "./range.ts";

/** The spans to look at, as SQL over the columns of `spans`. */
export interface OutlierSample {
  readonly selectedSql: string;
  readonly whereSql: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface CountedFields {
  readonly fields: readonly OutlierField[];
  readonly scan: ScanFigures;
}

const TIMEOUT_MS = 10_000;
const SIDES_SQL = "countIf(is_selected) AS selected, countIf(NOT is_selected) AS others";
/** Of one value, to be summed up by key. */
const VALUE_SIDES_SQL = "countIf(is_selected) AS s, countIf(NOT is_selected) AS o";
/** Longer values are cut, and have no condition. */
const VALUE_CHARS_MAX = 500;
/** A value that fewer have on either side cannot set them apart by as much. */
const SHARE_MIN = 0.005;
/** Numbers with no more values than this are compared one by one. */
const NUMBER_COUNT_MAX = 25;

interface SideRow {
  readonly selected: string;
  readonly others: string;
}

const countsOf = (row: SideRow): SideCounts => ({ selection: Number(row.selected), rest: Number(row.others) });

function optionsOf({ params }: OutlierSample, more: Record<string, unknown>, { signal }: Asking): QueryOptions {
  return { params: { ...params, ...more }, signal, timeoutMs: TIMEOUT_MS };
}

interface ColumnRow extends SideRow {
  readonly span_service: string;
  readonly span_name: string;
  readonly span_kind: number;
  readonly span_status: number;
  readonly span_resource: string;
  readonly scope_name: string;
}

/** The fields that are columns, and the resource's attributes: few distinct combinations. `totals` counts the sample. */
export async function countColumns(
  sample: OutlierSample,
  asking: Asking,
): Promise<CountedFields & { readonly totals: SideCounts }> {
  const { rows, scan } = await asking.database.query<ColumnRow>(
    `SELECT span_service, span_name, span_kind, span_status, span_resource, scope_name, ${SIDES_SQL}
     FROM (SELECT service AS span_service, name AS span_name, kind AS span_kind, status AS span_status, resource AS span_resource,
             JSONExtractString(toString(scope), '$name') AS scope_name, ${sample.selectedSql} AS is_selected
           FROM spans WHERE ${sample.whereSql})
     GROUP BY span_service, span_name, span_kind, span_status, span_resource, scope_name`,
    optionsOf(sample, {}, asking),
  );
  const totals = sumCounts(rows.map(countsOf));
  const gathered = new GatheredFields();
  const resources = new Map<string, ReturnType<typeof parseResource>["attributes"]>();
  for (const row of rows) {
    const counts = countsOf(row);
    const text = (value: string): AttributeValue => ({ type: "string", value });
    gathered.add(attribute("resource", "service.name"), text(row.span_service), counts);
    gathered.add(intrinsic("name"), text(row.span_name), counts);
    const kind = SPAN_KINDS[row.span_kind] ?? "unspecified";
    gathered.addLiteral(intrinsic("kind"), kind, { type: "kind", value: kind }, counts);
    const status = STATUS_CODES[row.span_status] ?? "unset";
    gathered.addLiteral(intrinsic("status"), status, { type: "status", value: status }, counts);
    if (row.scope_name !== "") gathered.add(intrinsic("instrumentation:name"), text(row.scope_name), counts);
    const attributes = resources.get(row.span_resource) ?? parseResource(row.span_resource).attributes;
    resources.set(row.span_resource, attributes);
    for (const { key, value } of attributes) if (key !== "service.name") gathered.add(attribute("resource", key), value, counts);
  }
  return { fields: gathered.build(totals), scan, totals };
}

interface GatheredField {
  coverage: SideCounts;
  readonly values: Map<string, CountedValue>;
}

/** Adds counts up by field and value. */
class GatheredFields {
  readonly #fields = new Map<string, GatheredField>();

  add(field: Field, value: AttributeValue, counts: SideCounts): void {
    this.addLiteral(field, value.type === "string" ? value.value : formatCanonicalValue(value), literalOf(value), counts);
  }

  /** `literal` null: there is no condition for the value. */
  addLiteral(field: Field, value: string, literal: Literal | null, counts: SideCounts): void {
    const name = formatField(field);
    const known = this.#fields.get(name) ?? { coverage: { selection: 0, rest: 0 }, values: new Map<string, CountedValue>() };
    this.#fields.set(name, known);
    known.coverage = sumCounts([known.coverage, counts]);
    const before = known.values.get(value);
    known.values.set(value, {
      value,
      condition: before?.condition ?? (literal === null ? null : formatCondition(field, "=", literal)),
      ...sumCounts([before ?? { selection: 0, rest: 0 }, counts]),
    });
  }

  build(totals: SideCounts): OutlierField[] {
    return [...this.#fields].map(([field, { coverage, values }]) =>
      buildField({ field, type: "text", valueCount: values.size }, coverage, [...values.values()], totals),
    );
  }
}

interface AttributeRow extends SideRow {
  readonly key: string;
  readonly value_count: string;
  readonly top: readonly (readonly [value: string, selected: string, others: string])[];
}

const leastOf = (total: number): number => Math.max(1, Math.ceil(SHARE_MIN * total));

/** By what their values are: plain texts of both maps in one pass, or canonical JSON. */
const TEXTS = {
  plain: {
    keys: "arrayConcat(attr_word.keys, attr_string.keys)",
    values: "arrayConcat(arrayMap(word -> toString(word), attr_word.values), attr_string.values)",
  },
  json: { keys: "attr_json.keys", values: "attr_json.values" },
} as const;

/** Attributes that are texts; the server keeps of each the values that could set the sides apart. */
export async function countAttributes(
  texts: keyof typeof TEXTS,
  sample: OutlierSample,
  totals: SideCounts,
  asking: Asking,
): Promise<CountedFields> {
  const { rows, scan } = await asking.database.query<AttributeRow>(
    `SELECT key, count() AS value_count, sum(s) AS selected, sum(o) AS others,
       groupArrayIf((value, s, o), s >= {selectedMin:UInt32} OR o >= {othersMin:UInt32}) AS top
     FROM (SELECT toString(key) AS key, substringUTF8(toString(value), 1, ${VALUE_CHARS_MAX}) AS value, ${VALUE_SIDES_SQL}
           FROM (SELECT ${TEXTS[texts].keys} AS keys, ${TEXTS[texts].values} AS texts, ${sample.selectedSql} AS is_selected FROM spans WHERE ${sample.whereSql})
           ARRAY JOIN keys AS key, texts AS value GROUP BY key, value)
     GROUP BY key`,
    optionsOf(sample, { selectedMin: leastOf(totals.selection), othersMin: leastOf(totals.rest) }, asking),
  );
  const fields = rows.map((row) => {
    const field = attribute("span", row.key);
    const values = row.top.map(([value, selected, others]) => ({
      ...describeText(field, value, texts === "json"),
      ...countsOf({ selected, others }),
    }));
    return buildField(
      { field: formatField(field), type: "text", valueCount: Number(row.value_count) },
      countsOf(row),
      values,
      totals,
    );
  });
  return { fields, scan };
}

function describeText(field: Field, value: string, isCanonical: boolean): Pick<CountedValue, "value" | "condition"> {
  if (value.length >= VALUE_CHARS_MAX) return { value: `${value}…`, condition: null };
  const literal = isCanonical ? literalOf(parseCanonicalValue(value)) : ({ type: "string", value } as const);
  return { value, condition: literal === null ? null : formatCondition(field, "=", literal) };
}

/** Where numbers are parted: 1, 1.5, 2, 3, 5, 7 of each power of ten, either sign. */
const EDGES = Array.from({ length: 22 }, (_, power) =>
  [1, 1.5, 2, 3, 5, 7].map((digit) => Number(`${digit}e${power - 6}`)),
).flat();
/** With exponents, so that the server reads every one as a Float64. */
const EDGES_SQL = `[-inf, ${[...EDGES.toReversed().map((edge) => -edge), 0, ...EDGES].map((edge) => edge.toExponential()).join(", ")}]`;

interface NumberRow extends SideRow {
  readonly key: string;
  readonly value_count: string;
  readonly few: AttributeRow["top"];
  readonly selected_by_edge: readonly [edges: readonly (number | null)[], counts: readonly string[]];
  readonly others_by_edge: readonly [edges: readonly (number | null)[], counts: readonly string[]];
}

/** Attributes of one map of numbers. */
export async function countNumbers(
  map: "attr_int" | "attr_double",
  sample: OutlierSample,
  totals: SideCounts,
  asking: Asking,
): Promise<CountedFields> {
  const { rows, scan } = await asking.database.query<NumberRow>(
    `SELECT key, count() AS value_count, sum(s) AS selected, sum(o) AS others,
       groupArray(${NUMBER_COUNT_MAX})((toString(value), s, o)) AS few,
       sumMap([edge], [s]) AS selected_by_edge, sumMap([edge], [o]) AS others_by_edge
     FROM (SELECT toString(key) AS key, value, roundDown(toFloat64(value), ${EDGES_SQL}) AS edge, ${VALUE_SIDES_SQL}
           FROM (SELECT ${map}.keys AS keys, ${map}.values AS numbers, ${sample.selectedSql} AS is_selected FROM spans WHERE ${sample.whereSql})
           ARRAY JOIN keys AS key, numbers AS value WHERE isFinite(toFloat64(value)) GROUP BY key, value)
     GROUP BY key`,
    optionsOf(sample, {}, asking),
  );
  const fields = rows.map((row) => {
    const field = attribute("span", row.key);
    const valueCount = Number(row.value_count);
    const toLiteral = (text: string): Literal =>
      map === "attr_int" ? { type: "int", value: BigInt(text) } : { type: "double", value: Number(text) };
    const values =
      valueCount <= NUMBER_COUNT_MAX
        ? row.few.map(([value, selected, others]) => ({
            value,
            condition: formatCondition(field, "=", toLiteral(value)),
            ...countsOf({ selected, others }),
          }))
        : describeBounds(bucketsOf(row), totals, field, numberLiteral);
    return buildField({ field: formatField(field), type: "number", valueCount }, countsOf(row), values, totals);
  });
  return { fields, scan };
}

function numberLiteral(edge: number): Literal {
  return Number.isSafeInteger(edge) ? { type: "int", value: BigInt(edge) } : { type: "double", value: edge };
}

/** sumMap leaves out keys whose sum is 0. */
function bucketsOf({ selected_by_edge, others_by_edge }: NumberRow): NumberBucket[] {
  const buckets = new Map<number, NumberBucket>();
  const add = ([edges, counts]: NumberRow["selected_by_edge"], toCounts: (count: number) => SideCounts): void =>
    edges.forEach((given, at) => {
      // Infinities arrive as null: the lowest edge.
      const edge = given ?? Number.NEGATIVE_INFINITY;
      buckets.set(edge, {
        edge,
        ...sumCounts([buckets.get(edge) ?? { selection: 0, rest: 0 }, toCounts(Number(counts[at] ?? 0))]),
      });
    });
  add(selected_by_edge, (selection) => ({ selection, rest: 0 }));
  add(others_by_edge, (rest) => ({ selection: 0, rest }));
  return [...buckets.values()];
}

function describeBounds(
  buckets: readonly NumberBucket[],
  totals: SideCounts,
  field: Field,
  toLiteral: (edge: number) => Literal,
): CountedValue[] {
  return findBounds(buckets, totals).map(({ comparison, edge, selection, rest }) => {
    const literal = toLiteral(edge);
    const value = literal.type === "duration" ? formatDuration(literal.value) : String(edge);
    return { value: `${comparison} ${value}`, condition: formatCondition(field, comparison, literal), selection, rest };
  });
}

export async function countDurations(sample: OutlierSample, asking: Asking): Promise<CountedFields> {
  const { rows, scan } = await asking.database.query<SideRow & { edge: number }>(
    `SELECT edge, ${SIDES_SQL}
     FROM (SELECT roundDown(toFloat64(duration_nano), ${EDGES_SQL}) AS edge, ${sample.selectedSql} AS is_selected FROM spans WHERE ${sample.whereSql})
     GROUP BY edge`,
    optionsOf(sample, {}, asking),
  );
  const buckets = rows.map((row) => ({ edge: row.edge, ...countsOf(row) }));
  const totals = sumCounts(buckets);
  const toLiteral = (edge: number): Literal => ({ type: "duration", value: BigInt(Math.round(edge)) });
  const values = describeBounds(buckets, totals, intrinsic("duration"), toLiteral);
  return {
    fields: [buildField({ field: "duration", type: "number", valueCount: rows.length }, totals, values, totals)],
    scan,
  };
}
