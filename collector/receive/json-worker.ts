/** The thread of json-converter.ts: one body in, one answer out. */
import { parentPort, workerData } from "node:worker_threads";
import { encodeRequestFromJson } from "@callchain/schemas/otlp/json.ts";
import { Failure, InvalidError } from "@callchain/schemas/span/errors.ts";

/** The request in protobuf, or why there is none. A defect ends the thread with its error. */
export type ConverterAnswer =
  | { readonly code: "ok"; readonly request: Uint8Array }
  | { readonly code: "invalid" | "too_large"; readonly reason: string };

/** At most, on 64 bits: an empty object has 7 words; a value has its place, and a box or a string's head. */
const OBJECT_BYTES = 64;
const ARRAY_BYTES = 40;
const VALUE_BYTES = 48;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const COMMA = 0x2c;

/**
 * About what parsing takes, from above. It has to be known before: where JSON.parse meets the end of the heap, the whole process
 * ends, with or without resource limits on its thread. What stands inside strings counts too, which errs to the safe side.
 */
function estimateParsedBytes(body: Uint8Array): number {
  let bytes = 2 * body.length;
  for (const byte of body) {
    if (byte === COMMA) bytes += VALUE_BYTES;
    else if (byte === BRACE) bytes += OBJECT_BYTES;
    else if (byte === BRACKET) bytes += ARRAY_BYTES;
  }
  return bytes;
}

function convert(body: Uint8Array, parsedMaxBytes: number): ConverterAnswer {
  try {
    const bytes = estimateParsedBytes(body);
    if (bytes > parsedMaxBytes) {
      const mib = Math.round(bytes / 1024 / 1024);
      const reason = `this JSON of ${body.length} bytes would take about ${mib} MiB to read; send smaller requests, or protobuf`;
      return { code: "too_large", reason };
    }
    return { code: "ok", request: encodeRequestFromJson(body) };
  } catch (error) {
    if (error instanceof InvalidError) return { code: "invalid", reason: error.message };
    throw error;
  }
}

if (typeof workerData !== "number") throw new Failure("internal", "the thread was started without its limit");
const parsedMaxBytes: number = workerData;
parentPort?.on("message", (body: Uint8Array) => {
  parentPort?.postMessage(convert(body, parsedMaxBytes), []);
});
