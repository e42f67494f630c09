/**
 * Attribute names and values with counts, for autocomplete. Span attributes are counted in the newest spans of the range only, so that
 * typing stays quick on any table; resources are few and are counted in full.
 */
import type { AttributeValuesAnswer, AttributesAnswer } from "@callchain/schemas/api/catalog.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { Bindings } from "../search/bindings.ts";
import { canonicalKey } from "../search/canonical-key.ts";
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import { textMapOf } from "@callchain/schemas/clickhouse/word-keys.ts";
import { RESOURCE_COUNT_MAX } from "../search/compile-attribute.ts";
import { EVERYTHING } from "../search/query.ts";
import { countCalls } from "./count-spans.ts";
import { locateResourceCounts } from "./resources.ts";
import { compileGroupField, type GroupField } from "./group-by.ts";
import { EARLY_STOP, IN_RANGE, buildScan, countSpans, rangeParams, type Asking, type TimeRange } from "./range.ts";

/** Spans looked at for span attributes. */
const SAMPLE_SPAN_COUNT = 100_000;

const MAPS = [
  ["attr_word", "string"],
  ["attr_string", "string"],
  ["attr_int", "int"],
  ["attr_double", "double"],
  ["attr_json", "json"],
] as const;
type AttributeType = (typeof MAPS)[number][1];

export interface AttributeQuestion {
  readonly range: TimeRange;
  readonly prefix: string;
  readonly limit: number;
}

const hasPrefix = (text: string): string => `startsWithCaseInsensitiveUTF8(${text}, {prefix:String})`;

/** The part of the range that holds its newest spans, SAMPLE_SPAN_COUNT of them at most but for those that began with the first. */
async function narrowToNewest(range: TimeRange, { database, signal }: Asking): Promise<TimeRange> {
  const { rows } = await database.query<{ since: string }>(
    `SELECT toString(toUnixTimestamp64Nano(start)) AS since FROM spans WHERE ${IN_RANGE} ORDER BY start DESC LIMIT 1 OFFSET ${SAMPLE_SPAN_COUNT - 1}`,
    { params: rangeParams(range), signal, settings: EARLY_STOP },
  );
  const since = rows[0]?.since;
  return since === undefined ? range : { from: unixNano(BigInt(since)), to: range.to };
}

function sampleReason(spanCount: number): string[] {
  if (spanCount <= SAMPLE_SPAN_COUNT) return [];
  return [
    `Span attributes were counted in the newest ${SAMPLE_SPAN_COUNT} of ${spanCount} spans; narrow the time range for all.`,
  ];
}

/** Type of a canonical JSON value as SQL. */
const JSON_TYPE = (subject: string, key: string): string =>
  `transform(toString(JSONType(${subject}, ${key})), ['String', 'Int64', 'UInt64', 'Double'], ['string', 'int', 'int', 'double'], 'json')`;

interface KeyRow {
  readonly key: string;
  readonly type: AttributeType;
  readonly spans: string;
}

interface Listed<T> {
  readonly rows: readonly T[];
  readonly scans: readonly ScanFigures[];
}

async function listSpanKeys(question: AttributeQuestion, { database, signal }: Asking): Promise<Listed<KeyRow>> {
  const { rows, scan } = await database.query<KeyRow>(
    `SELECT key, type, sum(spans) AS spans FROM (${MAPS.map(
      ([map, type]) =>
        `SELECT toString(arrayJoin(found)) AS key, '${type}' AS type, count() AS spans
         FROM (SELECT ${map}.keys AS found FROM spans WHERE ${IN_RANGE}) GROUP BY key`,
    ).join(" UNION ALL ")})
     WHERE ${hasPrefix("key")} GROUP BY key, type ORDER BY spans DESC, key, type LIMIT {limit:UInt32}`,
    { params: { ...rangeParams(question.range), prefix: question.prefix, limit: question.limit + 1 }, signal },
  );
  return { rows, scans: [scan] };
}

async function listResourceKeys(question: AttributeQuestion, asking: Asking): Promise<Listed<KeyRow>> {
  const { source, scans } = await locateResourceCounts(question.range, asking);
  const { rows, scan } = await asking.database.query<KeyRow>(
    `SELECT if(startsWith(member, '$$'), substring(member, 2), member) AS key, ${JSON_TYPE("resource", "member")} AS type, sum(spans) AS spans
     FROM (SELECT toString(resource) AS resource, sum(spans) AS spans FROM (${source}) GROUP BY resource LIMIT ${RESOURCE_COUNT_MAX})
     ARRAY JOIN arrayDistinct(JSONExtractKeys(resource)) AS member
     WHERE (NOT startsWith(member, '$') OR startsWith(member, '$$')) AND ${hasPrefix("key")}
     GROUP BY key, type ORDER BY spans DESC, key, type LIMIT {limit:UInt32}`,
    { params: { prefix: question.prefix, limit: question.limit + 1 }, signal: asking.signal },
  );
  return { rows, scans: [...scans, scan] };
}

/** Attribute names that begin with the prefix (in either case), most frequent first. */
export async function listAttributes(
  question: AttributeQuestion & { readonly scope: "any" | "span" | "resource" },
  asking: Asking,
): Promise<AttributesAnswer> {
  const startedMs = performance.now();
  const { scope, limit } = question;
  const nothing = { rows: [], scans: [] };
  const inSpans = async (): Promise<Listed<KeyRow>> =>
    await listSpanKeys({ ...question, range: await narrowToNewest(question.range, asking) }, asking);
  const [counted, span, resource] = await Promise.all([
    countSpans(question.range, asking),
    scope === "resource" ? nothing : inSpans(),
    scope === "span" ? nothing : listResourceKeys(question, asking),
  ]);
  const attributes = [
    ...span.rows.map((row) => ({ key: row.key, scope: "span" as const, type: row.type, spanCount: Number(row.spans) })),
    ...resource.rows.map((row) => ({ key: row.key, scope: "resource" as const, type: row.type, spanCount: Number(row.spans) })),
  ].toSorted((a, b) => b.spanCount - a.spanCount);
  const reasons = scope === "resource" ? [] : sampleReason(counted.count);
  if (attributes.length > limit) reasons.push(`The ${limit} most frequent names are listed; type more of the name.`);
  return {
    attributes: attributes.slice(0, limit),
    scan: buildScan([counted.scan, ...span.scans, ...resource.scans], startedMs, reasons),
  };
}

interface ValueRow {
  readonly value: string;
  readonly type: AttributeType;
  readonly spans: string;
}

type Found = Promise<Listed<ValueRow>>;

const MOST_FREQUENT = `GROUP BY value, type ORDER BY spans DESC, value, type LIMIT {limit:UInt32}`;

function valueParams(question: AttributeQuestion): Record<string, unknown> {
  return { ...rangeParams(question.range), prefix: question.prefix, limit: question.limit + 1 };
}

async function listSpanValues(names: readonly string[], question: AttributeQuestion, { database, signal }: Asking): Found {
  const maps = MAPS.filter(([map, type]) => type !== "string" || names.some((name) => textMapOf(name) === map));
  const bindings = new Bindings("n");
  const bound = names.map((name) => bindings.bind("String", name));
  const values = maps.map(([map, type]) => {
    const first = bound.map((name) => `has(${map}.keys, ${name}), toString(${map}.values[indexOf(${map}.keys, ${name})])`);
    const isThere = bound.map((name) => `has(${map}.keys, ${name})`).join(" OR ");
    return `SELECT multiIf(${first.join(", ")}, '') AS value, '${type}' AS type, count() AS spans
       FROM spans WHERE ${IN_RANGE} AND (${isThere}) AND ${hasPrefix("value")} GROUP BY value`;
  });
  const { rows, scan } = await database.query<ValueRow>(
    `SELECT value, type, sum(spans) AS spans FROM (${values.join(" UNION ALL ")}) ${MOST_FREQUENT}`,
    { params: { ...valueParams(question), ...bindings.params }, signal },
  );
  return { rows, scans: [scan] };
}

async function listResourceValues(names: readonly string[], question: AttributeQuestion, asking: Asking): Found {
  const { source, scans } = await locateResourceCounts(question.range, asking);
  const { rows, scan } = await asking.database.query<ValueRow>(
    `SELECT if(type = 'string', JSONExtractString(resource, member), JSONExtractRaw(resource, member)) AS value,
       ${JSON_TYPE("resource", "member")} AS type, sum(spans) AS spans
     FROM (SELECT resource, spans, arrayFirst(name -> JSONHas(resource, name), {names:Array(String)}) AS member
           FROM (SELECT toString(resource) AS resource, sum(spans) AS spans FROM (${source}) GROUP BY resource LIMIT ${RESOURCE_COUNT_MAX}))
     WHERE member != '' AND ${hasPrefix("value")} ${MOST_FREQUENT}`,
    { params: { ...valueParams(question), names: names.map(canonicalKey) }, signal: asking.signal },
  );
  return { rows, scans: [...scans, scan] };
}

async function listFieldValues(field: GroupField, question: AttributeQuestion, { database, signal }: Asking): Found {
  const bindings = new Bindings("g");
  const { rows, scan } = await database.query<ValueRow>(
    `SELECT assumeNotNull(${compileGroupField(field, bindings)}) AS value, 'string' AS type, count() AS spans
     FROM spans WHERE ${IN_RANGE} AND ${hasPrefix("value")}
     GROUP BY value ORDER BY spans DESC, value LIMIT {limit:UInt32}`,
    { params: { ...valueParams(question), ...bindings.params }, signal },
  );
  return { rows, scans: [scan] };
}

const COUNTED_INTRINSICS: ReadonlySet<string> = new Set(["kind", "status"]);
const COUNTED_VALUE_COUNT_MAX = 10_000;

/** Of fields by which the rollups tell spans apart: all values come, which are few. */
async function listCountedValues(field: GroupField, { range, prefix }: AttributeQuestion, asking: Asking): Found {
  const selection = { range, query: EVERYTHING, stepNano: null, by: field, isEntry: false, groups: null };
  const { found, scans } = await countCalls(selection, COUNTED_VALUE_COUNT_MAX, asking);
  const start = prefix.toLowerCase();
  const rows = found.flatMap(({ by, figures }): ValueRow[] =>
    by !== null && by.toLowerCase().startsWith(start) ? [{ value: by, type: "string", spans: String(figures.count) }] : [],
  );
  return { rows, scans };
}

/**
 * Values of one field that begin with the prefix (in either case), most frequent first. An attribute's renamed forms count together; service
 * and intrinsics (name, kind, status) are counted in full.
 */
export async function listAttributeValues(
  question: AttributeQuestion & { readonly key: string; readonly field: GroupField },
  asking: Asking,
): Promise<AttributeValuesAnswer> {
  const startedMs = performance.now();
  const { field, limit, key } = question;
  const counting = countSpans(question.range, asking);
  const places: Found[] = [];
  const isService = field.kind === "attribute" && field.key === "service.name" && field.scope !== "span";
  const isSampled = field.kind === "attribute" && !isService && field.scope !== "resource";
  if (isService || (field.kind === "intrinsic" && COUNTED_INTRINSICS.has(field.name))) {
    places.push(listCountedValues(field, question, asking));
  } else if (field.kind === "intrinsic") {
    places.push(listFieldValues(field, question, asking));
  } else {
    const names = attributeNames(field.key);
    const inSpans = async (): Found =>
      await listSpanValues(names, { ...question, range: await narrowToNewest(question.range, asking) }, asking);
    if (isSampled) places.push(inSpans());
    if (field.scope !== "span") places.push(listResourceValues(names, question, asking));
  }
  const [counted, ...found] = await Promise.all([counting, ...places]);
  const counts = new Map<string, { value: string; type: AttributeType; spanCount: number }>();
  for (const { value, type, spans } of found.flatMap(({ rows }) => rows)) {
    const known = counts.get(`${type} ${value}`);
    counts.set(`${type} ${value}`, { value, type, spanCount: Number(spans) + (known?.spanCount ?? 0) });
  }
  const values = [...counts.values()].toSorted((a, b) => b.spanCount - a.spanCount || (a.value < b.value ? -1 : 1));
  const reasons = isSampled ? sampleReason(counted.count) : [];
  if (values.length > limit) reasons.push(`The ${limit} most frequent values are listed; type more of the value.`);
  return {
    key,
    values: values.slice(0, limit),
    scan: buildScan([counted.scan, ...found.flatMap(({ scans }) => scans)], startedMs, reasons),
  };
}
