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
import { EARLY_STOP, NEWEST_FIRST, findDensity, windowFrom } from "./newest.ts";
import { IN_RANGE, SMALL_READ, buildScan, estimateSpanCount, rangeParams, type Asking, type TimeRange } from "./range.ts";

/** Spans looked at for span attributes, about. */
const SAMPLE_SPAN_COUNT = 100_000;
/** Where the newest lie less densely than the others, no more are looked at. */
const SAMPLE_SPAN_COUNT_MAX = 4 * SAMPLE_SPAN_COUNT;

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

/** The part of the range that holds its newest spans, about SAMPLE_SPAN_COUNT of them. */
async function narrowToNewest(range: TimeRange, asking: Asking): Promise<TimeRange> {
  const density = await findDensity(range, asking);
  const newest = { from: unixNano(windowFrom(range, SAMPLE_SPAN_COUNT, density)), to: range.to };
  if (newest.from >= density.sinceNano) return newest;
  // Farther back there may be many more of them.
  const { count } = await estimateSpanCount(newest, asking);
  if (count <= SAMPLE_SPAN_COUNT_MAX) return newest;
  const { rows } = await asking.database.query<{ since: string }>(
    `SELECT toString(toUnixTimestamp64Nano(start)) AS since FROM spans WHERE ${IN_RANGE} ${NEWEST_FIRST} LIMIT 1 OFFSET ${SAMPLE_SPAN_COUNT - 1}`,
    { params: rangeParams(range), signal: asking.signal, settings: EARLY_STOP },
  );
  const since = rows[0]?.since;
  return since === undefined ? range : { from: unixNano(BigInt(since)), to: range.to };
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
  /** Why it is not all of the range. */
  readonly reasons?: readonly string[];
}

/** What `list` finds in the newest spans of the range. */
async function listInNewest<T>(
  question: AttributeQuestion,
  list: (sample: AttributeQuestion) => Promise<Listed<T>>,
  asking: Asking,
): Promise<Listed<T>> {
  const { range } = question;
  const sample = await narrowToNewest(range, asking);
  const { rows, scans } = await list({ ...question, range: sample });
  const reason = `Span attributes were counted in about ${SAMPLE_SPAN_COUNT} of the newest spans alone; narrow the time range for all.`;
  return { rows, scans, reasons: sample.from > range.from ? [reason] : [] };
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
  const nothing: Listed<KeyRow> = { rows: [], scans: [] };
  const [span, resource] = await Promise.all([
    scope === "resource" ? nothing : listInNewest(question, (sample) => listSpanKeys(sample, asking), asking),
    scope === "span" ? nothing : listResourceKeys(question, asking),
  ]);
  const attributes = [
    ...span.rows.map((row) => ({ key: row.key, scope: "span" as const, type: row.type, spanCount: Number(row.spans) })),
    ...resource.rows.map((row) => ({ key: row.key, scope: "resource" as const, type: row.type, spanCount: Number(row.spans) })),
  ].toSorted((a, b) => b.spanCount - a.spanCount);
  const reasons = [...(span.reasons ?? [])];
  if (attributes.length > limit) reasons.push(`The ${limit} most frequent names are listed; type more of the name.`);
  return {
    attributes: attributes.slice(0, limit),
    scan: buildScan([...span.scans, ...resource.scans], startedMs, reasons),
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

/** Of a span that has several of the names, or one in several types, the first counts. All in one pass over the spans. */
async function listSpanValues(names: readonly string[], question: AttributeQuestion, { database, signal }: Asking): Found {
  const maps = MAPS.filter(([map, type]) => type !== "string" || names.some((name) => textMapOf(name) === map));
  const bindings = new Bindings("n");
  const bound = names.map((name) => bindings.bind("String", name));
  const places = maps.flatMap(([map, type]) =>
    bound.map((name) => ({
      isThere: `has(${map}.keys, ${name})`,
      value: `toString(${map}.values[indexOf(${map}.keys, ${name})])`,
      type: `'${type}'`,
    })),
  );
  const first = (what: "value" | "type"): string =>
    `multiIf(${places.map((place) => `${place.isThere}, ${place[what]}`).join(", ")}, '')`;
  const { rows, scan } = await database.query<ValueRow>(
    `SELECT ${first("value")} AS value, ${first("type")} AS type, count() AS spans
     FROM spans WHERE ${IN_RANGE} AND (${places.map(({ isThere }) => isThere).join(" OR ")}) AND ${hasPrefix("value")} ${MOST_FREQUENT}`,
    { params: { ...valueParams(question), ...bindings.params }, signal, settings: SMALL_READ },
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
  const places: Found[] = [];
  const isService = field.kind === "attribute" && field.key === "service.name" && field.scope !== "span";
  if (isService || (field.kind === "intrinsic" && COUNTED_INTRINSICS.has(field.name))) {
    places.push(listCountedValues(field, question, asking));
  } else if (field.kind === "intrinsic") {
    places.push(listFieldValues(field, question, asking));
  } else {
    const names = attributeNames(field.key);
    if (field.scope !== "resource")
      places.push(listInNewest(question, (sample) => listSpanValues(names, sample, asking), asking));
    if (field.scope !== "span") places.push(listResourceValues(names, question, asking));
  }
  const found = await Promise.all(places);
  const counts = new Map<string, { value: string; type: AttributeType; spanCount: number }>();
  for (const { value, type, spans } of found.flatMap(({ rows }) => rows)) {
    const known = counts.get(`${type} ${value}`);
    counts.set(`${type} ${value}`, { value, type, spanCount: Number(spans) + (known?.spanCount ?? 0) });
  }
  const values = [...counts.values()].toSorted((a, b) => b.spanCount - a.spanCount || (a.value < b.value ? -1 : 1));
  const reasons = found.flatMap((listed) => listed.reasons ?? []);
  if (values.length > limit) reasons.push(`The ${limit} most frequent values are listed; type more of the value.`);
  return {
    key,
    values: values.slice(0, limit),
    scan: buildScan(
      found.flatMap(({ scans }) => scans),
      startedMs,
      reasons,
    ),
  };
}
