/** What the readers of files share: checked reads of outside JSON, and a span from what a file says of it. */
import { InvalidError } from "@callchain/schemas/span/errors.ts";
import { parseSpanId, parseTraceId, type SpanId, type TraceId } from "@callchain/schemas/span/ids.ts";
import {
  ANOMALY,
  type Attribute,
  type AttributeValue,
  type Resource,
  type Scope,
  type Span,
} from "@callchain/schemas/span/span.ts";
import { UNIX_NANO_MAX, unixNano, type UnixNano } from "@callchain/schemas/span/time.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Spans of a file, and how many it has that cannot be read, with the first reason. */
export interface ReadSpans {
  readonly spans: Span[];
  readonly rejectedCount: number;
  readonly rejection: string | null;
}

/** Takes what can be read of a list; a span that cannot be is counted. */
export class SpanCollector implements ReadSpans {
  readonly spans: Span[] = [];
  rejectedCount = 0;
  rejection: string | null = null;

  add(read: () => Span): void {
    try {
      this.spans.push(read());
    } catch (error) {
      if (!(error instanceof InvalidError)) throw error;
      this.rejectedCount += 1;
      this.rejection ??= error.message;
    }
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Absent and of another kind are the empty object. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The objects of a list; absent is none. */
export function objectsOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function countOf(value: unknown): number {
  const count = Number(value ?? 0);
  return Number.isSafeInteger(count) && count >= 0 ? count : 0;
}

/** A whole number or its digits, in units of so many nanoseconds. Throws InvalidError naming the field. */
export function readNano(value: unknown, name: string, unitNano = 1n): bigint {
  if (value === undefined || value === null || value === "") return 0n;
  const text = typeof value === "number" ? String(Math.round(value)) : value;
  if (typeof text !== "string" || !/^-?\d{1,20}$/.test(text)) {
    throw new InvalidError(`${name}: given ${JSON.stringify(value)}, accepted is a whole number`);
  }
  return BigInt(text) * unitNano;
}

export function clampNano(nano: bigint): UnixNano {
  return nano < 0n ? unixNano(0n) : nano > UNIX_NANO_MAX ? UNIX_NANO_MAX : unixNano(nano);
}

/** Ids without their leading zeros, as Jaeger writes them, are filled up. Throws InvalidError. */
export function readTraceId(value: unknown): TraceId {
  return parseTraceId(textOf(value).padStart(32, "0"));
}
export function readSpanId(value: unknown): SpanId {
  return parseSpanId(textOf(value).padStart(16, "0"));
}
/** Absent, empty and all zero: no parent. */
export function readParentId(value: unknown): SpanId | null {
  return /^0*$/.test(textOf(value)) ? null : readSpanId(value);
}

export const text = (value: string): AttributeValue => ({ type: "string", value });

export const NO_SCOPE: Scope = { name: "", version: "", attributes: [], droppedAttributesCount: 0, schemaUrl: "" };

/** The `service.name` of a resource. */
export function serviceOf({ attributes }: Resource): string {
  const value = attributes.find(({ key }) => key === "service.name")?.value;
  return value?.type === "string" && value.value !== "" ? value.value : "unknown_service";
}

export function resourceOf(service: string, attributes: readonly Attribute[]): Resource {
  const own = attributes.filter(({ key }) => key !== "service.name");
  return { attributes: [{ key: "service.name", value: text(service) }, ...own], droppedAttributesCount: 0, schemaUrl: "" };
}

/** As ingest stores them: no negative duration, and a span without a start stands at its end. */
export function timesOf(start: bigint, end: bigint): Pick<Span, "startNano" | "durationNano" | "anomalies"> {
  if (start === 0n) return { startNano: clampNano(end), durationNano: 0n, anomalies: ANOMALY.startMissing };
  const anomalies =
    (end < start ? ANOMALY.endBeforeStart : 0) | (end > UNIX_NANO_MAX || start > UNIX_NANO_MAX ? ANOMALY.timeClamped : 0);
  return { startNano: clampNano(start), durationNano: end > start ? clampNano(end) - clampNano(start) : 0n, anomalies };
}
