import { IngestAnswer } from "@callchain/schemas/api/catalog.ts";
import { defineRoute } from "./route.ts";

/** What a process without receivers answers. */
export const NO_RECEIVERS: IngestAnswer = {
  otlpHttpUrl: null,
  otlpGrpcUrl: null,
  acceptedSpanCount: 0,
  rejectedSpanCount: 0,
  refusedRequestCount: 0,
  lastRejection: null,
};

export const ingestRoute = defineRoute({
  path: "/ingest",
  summary: "Where this process takes spans, how many came, and why the last refused request was refused",
  params: {},
  answer: IngestAnswer,
  handle: (_params, { ingest }) => Promise.resolve(ingest()),
});
