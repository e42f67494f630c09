/** Import: what `POST /import` answers while it reads, a line of JSON each. */
import { z } from "zod";
import { Count, Problem } from "./common.ts";

export const LINES_MEDIA_TYPE = "application/x-ndjson";

const Counts = z.object({
  readBytes: Count.meta({ description: "Of the body as it came" }),
  acceptedSpanCount: Count.meta({ description: "Durable, and stored within a moment" }),
  rejectedSpanCount: Count.meta({ description: "Left out of what was otherwise accepted, e.g. without a trace id" }),
  refusedCount: Count.meta({ description: "Elements of resourceSpans that are not OTLP and were left out whole" }),
});

/** `failed` is the last line where the file could not be read to its end; `done` where it was. */
export const ImportLine = z
  .discriminatedUnion("type", [
    Counts.extend({ type: z.literal("progress") }),
    z.object({
      type: z.literal("rejected"),
      line: Count.meta({ description: "Of the file, in which the element of resourceSpans begins" }),
      lastLine: Count.meta({ description: "More than `line` where several elements went together: it is one of them" }),
      spanCount: Count.nullable().meta({ description: "null: the whole element" }),
      reason: z.string(),
    }),
    Counts.extend({ type: z.literal("done") }),
    Counts.extend({ type: z.literal("failed"), problem: Problem }),
  ])
  .meta({ id: "ImportLine" });
export type ImportLine = z.infer<typeof ImportLine>;
export type ImportCounts = z.infer<typeof Counts>;
