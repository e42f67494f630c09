/**
 * Parameters of a route as a table: each says what it accepts, for the reader and for the OpenAPI document. Every fault of a request
 * is told at once, unknown parameters are faults too.
 */
import { InvalidError } from "@callchain/schemas/span/errors.ts";
import { parseSpanId, parseTraceId, type SpanId, type TraceId } from "@callchain/schemas/span/ids.ts";
import type { UnixNano } from "@callchain/schemas/span/time.ts";
import { QueryError } from "../search/lexer.ts";
import { DURATION_ACCEPTED, TIME_ACCEPTED, parseDuration, parseTime } from "../search/units.ts";
import { ParameterError, type ParameterFault } from "./problem.ts";

/** JSON Schema of one parameter, as OpenAPI 3.1 shows it. */
export type ParamSchema = Readonly<Record<string, unknown>>;

export interface Param<T> {
  readonly place: "query" | "path";
  readonly description: string;
  /** What a value may be, for faults. */
  readonly accepted: string;
  readonly schema: ParamSchema;
  readonly isRequired: boolean;
  readonly isRepeatable: boolean;
  /** What stands where it is not given. */
  readonly absent: (now: UnixNano) => T;
  /** All texts given, at least one. undefined: not acceptable; an InvalidError thrown says more than `accepted`. */
  readonly parse: (texts: readonly string[], now: UnixNano) => T | undefined;
}

export type ParamTable = Readonly<Record<string, Param<unknown>>>;
export type ParamsOf<P extends ParamTable> = { readonly [K in keyof P]: P[K] extends Param<infer T> ? T : never };

/** The texts of a request by parameter name, path parameters included. */
export type RawParams = ReadonlyMap<string, readonly string[]>;

const TEXT_CHARS_MAX = 4096;

interface ParamOptions<T> {
  readonly place?: "query" | "path";
  readonly description: string;
  readonly accepted: string;
  readonly schema: ParamSchema;
  readonly isRequired?: boolean;
  readonly absent: (now: UnixNano) => T;
  readonly parse: (text: string, now: UnixNano) => T | undefined;
}

function single<T>(options: ParamOptions<T>): Param<T> {
  return {
    place: options.place ?? "query",
    description: options.description,
    accepted: options.accepted,
    schema: options.schema,
    isRequired: options.isRequired ?? false,
    isRepeatable: false,
    absent: options.absent,
    parse: ([text = ""], now) => (text.length > TEXT_CHARS_MAX ? undefined : options.parse(text, now)),
  };
}

/** Parameters of the query string. */
export const queryParam = {
  /** Any text; null where absent. An empty text counts as absent: forms send it. */
  text: (description: string, accepted = `a text of at most ${TEXT_CHARS_MAX} characters`): Param<string | null> =>
    single<string | null>({
      description,
      accepted,
      schema: { type: "string", maxLength: TEXT_CHARS_MAX },
      absent: () => null,
      parse: (text) => (text === "" ? null : text),
    }),
  /** A text read by a parser that throws InvalidError with its reason, or returns undefined. */
  parsed: <T>(description: string, accepted: string, parse: (text: string) => T | undefined): Param<T | null> =>
    single<T | null>({ description, accepted, schema: { type: "string", maxLength: TEXT_CHARS_MAX }, absent: () => null, parse }),
  /** As `parsed`, where nothing can stand for what is not given. */
  required: <T>(description: string, accepted: string, parse: (text: string) => T | undefined): Param<T> => ({
    ...single<T>({
      description,
      accepted,
      schema: { type: "string", maxLength: TEXT_CHARS_MAX },
      absent: () => {
        throw new InvalidError(`${description} is missing`);
      },
      parse,
    }),
    isRequired: true,
  }),
  time: (fallback: string, description: string): Param<UnixNano> =>
    single<UnixNano>({
      description,
      accepted: TIME_ACCEPTED,
      schema: { type: "string", default: fallback, examples: ["now-1h", "2026-01-31T12:00:00Z", "1769860800000000000"] },
      absent: (now) => parseTime(fallback, now) ?? now,
      parse: parseTime,
    }),
  /** null where absent. */
  optionalTime: (description: string): Param<UnixNano | null> =>
    single<UnixNano | null>({
      description,
      accepted: TIME_ACCEPTED,
      schema: { type: "string", examples: ["now-2h"] },
      absent: () => null,
      parse: parseTime,
    }),
  /** Nanoseconds; null where absent. */
  duration: (description: string): Param<bigint | null> =>
    single<bigint | null>({
      description,
      accepted: DURATION_ACCEPTED,
      schema: { type: "string", examples: ["250ms", "1.5s"] },
      absent: () => null,
      parse: parseDuration,
    }),
  wholeNumber: (fallback: number, min: number, max: number, description: string): Param<number> =>
    single<number>({
      description,
      accepted: `a whole number from ${min} to ${max}`,
      schema: { type: "integer", minimum: min, maximum: max, default: fallback },
      absent: () => fallback,
      parse: (text) => (/^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined),
    }),
  /** null where absent. */
  optionalWholeNumber: (max: number, description: string): Param<number | null> =>
    single<number | null>({
      description,
      accepted: `a whole number from 0 to ${max}`,
      schema: { type: "integer", minimum: 0, maximum: max },
      absent: () => null,
      parse: (text) => (/^\d{1,15}$/.test(text) && Number(text) <= max ? Number(text) : undefined),
    }),
  oneOf: <const T extends string>(values: readonly T[], fallback: T, description: string): Param<T> =>
    single<T>({
      description,
      accepted: `one of ${values.join(", ")}`,
      schema: { type: "string", enum: values, default: fallback },
      absent: () => fallback,
      parse: (text) => values.find((value) => value === text),
    }),
  optionalOneOf: <const T extends string>(values: readonly T[], description: string): Param<T | null> =>
    single<T | null>({
      description,
      accepted: `one of ${values.join(", ")}`,
      schema: { type: "string", enum: values },
      absent: () => null,
      parse: (text) => values.find((value) => value === text),
    }),
  /** Items separated by commas, each parsed; at most `max` of them. */
  list: <T>(
    fallback: readonly T[],
    accepted: string,
    max: number,
    parseItem: (text: string) => T | undefined,
    description: string,
  ): Param<readonly T[]> =>
    single<readonly T[]>({
      description,
      accepted: `${accepted}, separated by commas, at most ${max}`,
      schema: { type: "string", examples: [fallback.join(",")] },
      absent: () => fallback,
      parse: (text) => parseAll(text.split(","), max, (item) => parseItem(item.trim())),
    }),
  /** May be given several times, at most `max`; [] where absent. */
  repeated: <T>(
    accepted: string,
    max: number,
    parseItem: (text: string) => T | undefined,
    description: string,
  ): Param<readonly T[]> => ({
    place: "query",
    description,
    accepted: `${accepted}; at most ${max} times`,
    schema: { type: "array", items: { type: "string" }, maxItems: max },
    isRequired: false,
    isRepeatable: true,
    absent: () => [],
    parse: (texts) => parseAll(texts, max, parseItem),
  }),
};

/** Parameters of the path. */
export const pathParam = {
  text: (description: string): Param<string> =>
    single<string>({
      place: "path",
      description,
      accepted: `a text of at most ${TEXT_CHARS_MAX} characters`,
      schema: { type: "string" },
      isRequired: true,
      absent: () => "",
      parse: (text) => text,
    }),
  traceId: (description: string): Param<TraceId> => idParam(description, "32 hex digits (or 16), not all zero", 32, parseTraceId),
  spanId: (description: string): Param<SpanId> => idParam(description, "16 hex digits, not all zero", 16, parseSpanId),
};

function idParam<T extends string>(description: string, accepted: string, digits: number, parse: (text: string) => T): Param<T> {
  return single<T>({
    place: "path",
    description,
    accepted,
    schema: { type: "string", pattern: `^[0-9a-fA-F]{1,${digits}}$` },
    isRequired: true,
    absent: () => parse(""),
    parse: (text) => {
      try {
        return parse(text);
      } catch (error) {
        if (error instanceof InvalidError) return undefined;
        throw error;
      }
    },
  });
}

/** The range of a question: half open, `from` included, `to` not. The reader refuses a range that is empty. */
export const timeRange = {
  from: queryParam.time("now-1h", "Start of the time range, included"),
  to: queryParam.time("now", "End of the time range, not included"),
};

function parseAll<T>(texts: readonly string[], max: number, parseItem: (text: string) => T | undefined): T[] | undefined {
  if (texts.length > max) return undefined;
  const items: T[] = [];
  for (const text of texts) {
    const item = text.length > TEXT_CHARS_MAX ? undefined : parseItem(text);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

/** Reads every parameter of the table. Throws ParameterError with all faults: refused values, repeats, unknown names, an empty range. */
export function readParams<P extends ParamTable>(table: P, raw: RawParams, now: UnixNano): ParamsOf<P> {
  const faults: ParameterFault[] = [];
  const known = new Map(Object.entries(table));
  for (const [name, [given = ""]] of raw) {
    if (known.has(name)) continue;
    const names = [...known].filter(([, param]) => param.place === "query").map(([key]) => key);
    faults.push({
      parameter: name,
      given,
      accepted: names.length === 0 ? "no parameters here" : `one of the parameters ${names.join(", ")}`,
    });
  }
  const values = new Map<string, unknown>();
  for (const [name, param] of known) values.set(name, readOne(name, param, raw.get(name) ?? [], now, faults));
  checkRange(values, raw, faults);
  if (faults.length > 0) throw new ParameterError(faults);
  // Each name was parsed by its own entry of the table.
  return Object.fromEntries(values) as ParamsOf<P>;
}

function readOne(
  name: string,
  param: Param<unknown>,
  texts: readonly string[],
  now: UnixNano,
  faults: ParameterFault[],
): unknown {
  if (texts.length === 0) {
    if (param.isRequired) faults.push({ parameter: name, given: null, accepted: param.accepted });
    return param.isRequired ? undefined : param.absent(now);
  }
  if (texts.length > 1 && !param.isRepeatable) {
    faults.push({ parameter: name, given: texts.join(", "), accepted: `${param.accepted}; once` });
    return undefined;
  }
  try {
    const value = param.parse(texts, now);
    if (value === undefined) faults.push({ parameter: name, given: texts.join(", "), accepted: param.accepted });
    return value;
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    const position = error instanceof QueryError ? { position: error.at } : {};
    faults.push({ parameter: name, given: texts.join(", "), accepted: error.message, ...position });
    return undefined;
  }
}

function checkRange(values: ReadonlyMap<string, unknown>, raw: RawParams, faults: ParameterFault[]): void {
  const from = values.get("from");
  const to = values.get("to");
  if (typeof from !== "bigint" || typeof to !== "bigint" || from < to) return;
  // Named is what was given: the other has its fallback.
  const [given, other] = raw.has("from") ? (["from", "before `to`"] as const) : (["to", "after `from`"] as const);
  const fallback = raw.has("from") === raw.has("to") ? "" : ", which has its fallback where it is not given";
  faults.push({ parameter: given, given: raw.get(given)?.join(", ") ?? null, accepted: `a time ${other}${fallback}` });
}
