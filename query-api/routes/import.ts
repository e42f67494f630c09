/** `POST /import`: a file of OTLP/JSON on the way that exporters' spans take. */
import { ImportLine, LINES_MEDIA_TYPE } from "@callchain/schemas/api/transfer.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { importFile } from "../transfer/import.ts";
import { BytesReply, defineRoute } from "./route.ts";

export const importSpans = defineRoute({
  method: "POST",
  path: "/import",
  summary: "Takes OTLP/JSON of any length (gzip or not, one document or one per line) and tells how far it is, line by line",
  params: {},
  answer: ImportLine,
  answerMediaType: LINES_MEDIA_TYPE,
  mayBeMissing: true,
  handle: (_params, { importer, upload, signal, imports }) => {
    if (importer === null) {
      throw new Failure(
        "not_found",
        "this process has no receivers, so it cannot take spans: import into the all-in-one, or post the file to /v1/traces of a receive role",
      );
    }
    const release = imports.take();
    return Promise.resolve(new BytesReply(LINES_MEDIA_TYPE, encodeLines(importFile(upload, importer, signal), release)));
  },
});

async function* encodeLines(lines: AsyncIterable<ImportLine>, release: () => void): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  try {
    for await (const line of lines) yield encoder.encode(`${JSON.stringify(line)}\n`);
  } finally {
    release();
  }
}
