/**
 * What a route of `/api/v1` is: its path, its parameters as a table, the schema of its answer and what makes the answer. The app
 * serves it, refuses bad and unknown parameters, and the OpenAPI document is generated from the same table.
 *
 *   export const getThing = defineRoute({
 *     path: "/things/{name}",
 *     summary: "One thing over a time range",
 *     params: { name: pathParam.text("The thing's name"), ...timeRange, limit: queryParam.wholeNumber(20, 1, 100, "Things at most") },
 *     answer: ThingAnswer,
 *     handle: async ({ name, from, to, limit }, { database, signal }) => { ... return answer; },
 *   });
 */
import type { IngestAnswer } from "@callchain/schemas/api/catalog.ts";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { CallCounter, SpanImporter } from "@callchain/schemas/span/ports.ts";
import type { UnixNano } from "@callchain/schemas/span/time.ts";
import type { z } from "zod";
import type { Upload } from "../transfer/read-body.ts";
import { readParams, type ParamTable, type ParamsOf, type RawParams } from "./params.ts";
import type { Slots } from "./slots.ts";

/** What a handler may use. */
export interface RouteContext {
  readonly database: SpanDatabase;
  /** Aborts when the client has gone, the question has taken too long, or the server stops: hand it to every query. */
  readonly signal: AbortSignal;
  /** The instant at which the request arrived: what `now` means in its parameters. */
  readonly now: UnixNano;
  /** What this process's receivers report. */
  readonly ingest: () => IngestAnswer;
  /** The best of these media types for the client's Accept header, or null where none will do. */
  readonly accepts: (...mediaTypes: readonly string[]) => string | null;
  /** Where a stream of events is to go on, or null. */
  readonly lastEventId: string | null;
  /** Of the live tails and the imports. */
  readonly tails: Slots;
  readonly imports: Slots;
  /** This process's receivers, or null where it has none. */
  readonly importer: SpanImporter | null;
  /** This process's, or null where it has none. */
  readonly callCounter: CallCounter | null;
  /** What came with a POST. */
  readonly upload: Upload;
  readonly logger: Log;
}

/** An answer that is not the JSON of the route's schema: bytes of another media type, whole or streamed. */
export class BytesReply {
  readonly mediaType: string;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;

  constructor(mediaType: string, body: Uint8Array | AsyncIterable<Uint8Array>) {
    this.mediaType = mediaType;
    this.body = body;
  }
}

export interface RouteDefinition {
  readonly method: "GET" | "POST";
  /** Under /api/v1, with `{name}` for path parameters. */
  readonly path: string;
  readonly summary: string;
  readonly params: ParamTable;
  readonly answer: z.ZodType;
  /** Of the answer; where it is not application/json, each piece of the stream is of the schema. */
  readonly answerMediaType: string;
  /** Further media types of the 200 answer with what each carries. */
  readonly otherMediaTypes: ReadonlyMap<string, string>;
  /** True where a missing thing is answered with 404. */
  readonly mayBeMissing: boolean;
  readonly run: (raw: RawParams, context: RouteContext) => Promise<unknown>;
}

/** Declares a route; parameters and answer are typed from the table and the schema. */
export function defineRoute<P extends ParamTable, A extends z.ZodType>(route: {
  /** GET where it is left out, which answers HEAD too. */
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly summary: string;
  readonly params: P;
  readonly answer: A;
  readonly answerMediaType?: string;
  readonly otherMediaTypes?: ReadonlyMap<string, string>;
  readonly mayBeMissing?: boolean;
  readonly handle: (params: ParamsOf<P>, context: RouteContext) => Promise<z.infer<A> | BytesReply>;
}): RouteDefinition {
  return {
    method: route.method ?? "GET",
    path: route.path,
    summary: route.summary,
    params: route.params,
    answer: route.answer,
    answerMediaType: route.answerMediaType ?? "application/json",
    otherMediaTypes: route.otherMediaTypes ?? new Map(),
    mayBeMissing: route.mayBeMissing ?? false,
    run: async (raw, context) => route.handle(readParams(route.params, raw, context.now), context),
  };
}
