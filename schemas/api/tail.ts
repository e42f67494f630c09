/** The live tail: what `GET /tail` sends as server-sent events. */
import { z } from "zod";
import { Count, KindName, NanoNumber, NanoString, Problem, StatusName } from "./common.ts";

export const TAIL_MEDIA_TYPE = "text/event-stream";

/** One span, in short. */
export const TailSpan = z
  .object({
    traceId: z.string(),
    spanId: z.string(),
    root: z.boolean().meta({ description: "It has no parent" }),
    service: z.string(),
    name: z.string(),
    kind: KindName,
    status: StatusName,
    startNano: NanoString,
    durationNano: NanoNumber,
  })
  .meta({ id: "TailSpan" });
export type TailSpan = z.infer<typeof TailSpan>;

/** `event: spans`. Its id is the position to resume at (Last-Event-ID). */
export const TailSpans = z.object({ spans: z.array(TailSpan).meta({ description: "In the order of their starts" }) });

/** `event: dropped`. */
export const TailDropped = z.object({
  count: Count.nullable().meta({ description: "Matching spans that were not sent; null where counting them took too long" }),
  reason: z.string(),
});
export type TailDropped = z.infer<typeof TailDropped>;

/** The data of each event, by its name; `problem` says that the tail could not look just now and goes on trying. */
export const TailEvent = z
  .union([TailSpans, TailDropped, Problem])
  .meta({ id: "TailEvent", description: "The data of the events `spans`, `dropped` and `problem`" });
