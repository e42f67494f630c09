/** A file of traces in any of the formats, told by what is in it. */
import { parseJson } from "@callchain/schemas/otlp/json-input.ts";
import { InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";
import type { JsonObject, ReadSpans } from "./draft.ts";
import { isJaeger, readJaeger } from "./jaeger.ts";
import { readOtlp } from "./otlp.ts";
import { isZipkin, readZipkin } from "./zipkin.ts";

export type FileFormat = "otlp" | "jaeger" | "zipkin";

export interface ReadFile extends ReadSpans {
  readonly format: FileFormat;
}

const LIST_START = /^\s*\[/;
const HEAD_BYTES = 4_096;

/** Throws InvalidError that says what was found where it is none of the formats, or has no span that can be read. */
export function readTraceFile(bytes: Uint8Array): ReadFile {
  const read = readAny(bytes);
  if (read.spans.length > 0) return read;
  throw new InvalidError(
    read.rejection === null ? "there is no span in it" : `none of its ${read.rejectedCount} spans can be read: ${read.rejection}`,
  );
}

function readAny(bytes: Uint8Array): ReadFile {
  if (bytes.length === 0) throw new InvalidError("it is empty");
  const head = new TextDecoder().decode(bytes.subarray(0, HEAD_BYTES));
  if (LIST_START.test(head)) {
    const list = parseList(bytes);
    if (!isZipkin(list)) throw new InvalidError("it is a list, but not of spans with traceId and id, as Zipkin's are");
    return { format: "zipkin", ...partsOf(readZipkin(list)) };
  }
  const document = parseDocument(bytes);
  if (document !== null && isJaeger(document)) return { format: "jaeger", ...partsOf(readJaeger(document)) };
  return { format: "otlp", ...partsOf(readOtlp(bytes)) };
}

function partsOf({ spans, rejectedCount, rejection }: ReadSpans): ReadSpans {
  return { spans, rejectedCount, rejection };
}

function parseList(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InvalidError(`it is not valid JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** null: not one document; perhaps one per line. */
function parseDocument(bytes: Uint8Array): JsonObject | null {
  try {
    return parseJson(bytes);
  } catch (error) {
    if (error instanceof InvalidError) return null;
    throw error;
  }
}
