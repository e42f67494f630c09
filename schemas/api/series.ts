/** Figures over time: TraceQL's metrics. */
import { z } from "zod";
import { NanoString, Scan } from "./common.ts";
import { FieldValue } from "./traces.ts";

export const Series = z
  .object({
    by: z.array(FieldValue).meta({
      description: "What the query's by() asks for, in its order; of compare() the one attribute, whose value is null in totals",
    }),
    side: z
      .enum(["selection", "baseline", "selection_total", "baseline_total"])
      .nullable()
      .meta({ description: "Of compare(): spans with this value, or with any value of the attribute, on which side" }),
    quantile: z.number().nullable().meta({ description: "Of quantile_over_time" }),
    atMost: z
      .number()
      .nullable()
      .meta({ description: "Of histogram_over_time: the bucket's upper bound, a power of two; the lower one is half of it" }),
    values: z.array(z.number().nullable()).meta({ description: "One for each of `times`; null where no span has the number" }),
  })
  .meta({ id: "Series" });
export type Series = z.infer<typeof Series>;

export const SeriesAnswer = z
  .object({
    fromNano: NanoString,
    toNano: NanoString,
    stepSeconds: z.number(),
    times: z.array(NanoString).meta({ description: "When each step begins; the first and the last may be cut by the range" }),
    unit: z
      .enum(["spans/s", "spans", "ns", "as sent"])
      .meta({ description: "Durations are in nanoseconds, attributes as they were sent" }),
    /** The query in TraceQL, as it was understood. */
    query: z.string(),
    series: z.array(Series).meta({ description: "Those of the largest groups first" }),
    scan: Scan,
  })
  .meta({ id: "SeriesAnswer" });
export type SeriesAnswer = z.infer<typeof SeriesAnswer>;
