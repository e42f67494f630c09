import { IngestAnswer } from "@callchain/schemas/api/catalog.ts";
import { defineRoute } from "./route.ts";

export const ingestRoute = defineRoute({
  path: "/ingest",
  summary: "Where this process takes spans, how many came, and why the last refused request was refused",
  params: {},
  answer: IngestAnswer,
  handle: (_params, { ingest }) => Promise.resolve(ingest()),
});
