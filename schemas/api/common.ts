/**
 * The REST API's answers, written once as zod schemas: the types of query-api and ui come from here (ui imports types only), and
 * the OpenAPI document is generated from them. Times and durations are decimal strings or numbers of nanoseconds as each field
 * says; ids are lower-case hex.
 */
import { z } from "zod";

/** Nanoseconds since the Unix epoch, or a duration in nanoseconds, exact, as a decimal string. */
export const NanoString = z
  .string()
  .regex(/^-?\d+$/)
  .meta({ description: "Nanoseconds, exact, as a decimal string" });

/** A duration in nanoseconds as a number: exact below 2^53 (104 days). */
export const NanoNumber = z.number().min(0).meta({ description: "Nanoseconds" });

export const Count = z.int().min(0);

/** What an answer looked at, and whether that was everything that was asked for. */
export const Scan = z
  .object({
    rows: Count.meta({ description: "Rows read" }),
    bytes: Count.meta({ description: "Bytes read, uncompressed" }),
    elapsedMs: z.number().min(0),
    partial: z.boolean(),
    partialReason: z.string().nullable().meta({ description: "Why the answer is partial, and what to do" }),
  })
  .meta({ id: "Scan" });
export type Scan = z.infer<typeof Scan>;

export const StatusName = z.enum(["unset", "ok", "error"]);
export const KindName = z.enum(["unspecified", "internal", "server", "client", "producer", "consumer"]);

/** OTLP/JSON AnyValue: exactly one field, or none for an empty value. 64-bit integers are strings, bytes are base64. */
export interface AnyValueJson {
  stringValue?: string | undefined;
  intValue?: string | undefined;
  doubleValue?: number | "NaN" | "Infinity" | "-Infinity" | undefined;
  boolValue?: boolean | undefined;
  bytesValue?: string | undefined;
  arrayValue?: { values: AnyValueJson[] } | undefined;
  kvlistValue?: { values: KeyValueJson[] } | undefined;
}
export interface KeyValueJson {
  key: string;
  value: AnyValueJson;
}
export const AnyValueJson: z.ZodType<AnyValueJson> = z
  .lazy(() =>
    z.object({
      stringValue: z.string().optional(),
      intValue: z.string().optional(),
      doubleValue: z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]).optional(),
      boolValue: z.boolean().optional(),
      bytesValue: z.string().optional(),
      arrayValue: z.object({ values: z.array(AnyValueJson) }).optional(),
      kvlistValue: z.object({ values: z.array(KeyValueJson) }).optional(),
    }),
  )
  .meta({ id: "AnyValue" });
export const KeyValueJson: z.ZodType<KeyValueJson> = z
  .lazy(() => z.object({ key: z.string(), value: AnyValueJson }))
  .meta({ id: "KeyValue" });

/** RFC 9457 problem details; `errors` names each parameter, what was given and what is accepted. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(
        z.object({
          parameter: z.string(),
          given: z.string().nullable(),
          accepted: z.string(),
          position: z
            .int()
            .min(0)
            .optional()
            .meta({ description: "Of a query that cannot be read: the first character that is wrong, in UTF-16 units from 0" }),
        }),
      )
      .optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;
