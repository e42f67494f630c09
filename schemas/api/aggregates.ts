/** The heatmap, and spans that stand for what a figure counts. */
import { z } from "zod";
import { Count, KindName, NanoNumber, NanoString, Scan, StatusName } from "./common.ts";

/** One span that stands for the many that a figure counts. */
export const Exemplar = z
  .object({ traceId: z.string(), spanId: z.string(), durationNano: NanoNumber })
  .meta({ id: "Exemplar", description: "One span that stands for the many that a figure counts" });
export type Exemplar = z.infer<typeof Exemplar>;

export const HeatmapCell = z.object({
  time: Count.meta({ description: "Index into `timesNano`" }),
  duration: Count.meta({
    description: "Index of the row: from durationBoundsNano[duration] to the next bound, which it does not include",
  }),
  count: Count.meta({ description: "Spans, at least one: empty cells are left out" }),
  errorCount: Count,
});
export type HeatmapCell = z.infer<typeof HeatmapCell>;

/** Spans counted by start and duration. For spans of a cell or of a brushed region ask `/exemplars` with its bounds. */
export const HeatmapAnswer = z
  .object({
    fromNano: NanoString,
    toNano: NanoString,
    stepSeconds: z.number(),
    timesNano: z
      .array(NanoString)
      .meta({ description: "Start of each column, oldest first; the first and the last may be cut by the range" }),
    durationBoundsNano: z.array(NanoNumber).meta({
      description: "Bounds of the rows, ascending, one more than there are rows; four rows an octave. Empty without spans",
    }),
    cells: z.array(HeatmapCell),
    query: z.string(),
    scan: Scan,
  })
  .meta({ id: "HeatmapAnswer" });
export type HeatmapAnswer = z.infer<typeof HeatmapAnswer>;

export const ExemplarSpan = Exemplar.extend({
  service: z.string(),
  name: z.string(),
  kind: KindName,
  status: StatusName,
  startNano: NanoString,
});
export type ExemplarSpan = z.infer<typeof ExemplarSpan>;

/** Spans of a point, a cell or any region of time and duration. */
export const ExemplarsAnswer = z
  .object({
    spans: z.array(ExemplarSpan).meta({ description: "Slowest first, one a trace" }),
    query: z.string(),
    scan: Scan,
  })
  .meta({ id: "ExemplarsAnswer" });
export type ExemplarsAnswer = z.infer<typeof ExemplarsAnswer>;
