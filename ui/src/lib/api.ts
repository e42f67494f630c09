/**
 * The REST API as functions. Answers are typed by schemas/api, which the server's own tests hold every answer to; here they are trusted
 * because page and API are served by the same process in the same version.
 */
import type { CriticalPathAnswer, DiffAnswer, OutliersAnswer, TraceLinksAnswer } from "@callchain/schemas/api/analysis.ts";
import type { ExemplarsAnswer, HeatmapAnswer } from "@callchain/schemas/api/aggregates.ts";
import type {
  AttributesAnswer,
  AttributeValuesAnswer,
  DependenciesAnswer,
  IngestAnswer,
  LatencyAnswer,
  ServiceAnswer,
  ServicesAnswer,
} from "@callchain/schemas/api/catalog.ts";
import type { Problem } from "@callchain/schemas/api/common.ts";
import { CLOCKS_MEDIA_TYPE, decodeClocks } from "@callchain/schemas/api/skeleton.ts";
import type { SpanDetail, TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";

/** A value that is undefined, null or "" is left out; an array repeats the key. */
export type ApiParams = Readonly<Record<string, string | number | readonly string[] | null | undefined>>;

/** What went wrong with a request: the server's problem document, or one made here for a server that cannot be reached (status 0). */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail === "" ? problem.title : `${problem.title}: ${problem.detail}`);
    this.name = "ApiError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }
}

/** True for the rejection of a request that its own caller gave up. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function queryOf(params: ApiParams): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === undefined || value === null || value === "") continue;
    if (typeof value === "string" || typeof value === "number") query.set(key, `${value}`);
    else for (const item of value) query.append(key, item);
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "title" in body && "status" in body && "detail" in body;
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const body: unknown = JSON.parse(text);
    if (isProblem(body)) return body;
  } catch {
    // A proxy in between answers in HTML or plain text: its words are the detail below.
  }
  return {
    type: "about:blank",
    title: `HTTP ${response.status} ${response.statusText}`.trim(),
    status: response.status,
    detail: text.slice(0, 300),
  };
}

/** Traces that this tab has from elsewhere. null: not one of them. */
export interface LocalTraces {
  clocks(traceId: string): Promise<Float64Array | null>;
  span(traceId: string, spanId: string): Promise<SpanDetail | null>;
}

/** Requests below `baseUrl` (e.g. `/api/v1`). Every function rejects with ApiError, or with the AbortError of its signal. */
export function openApi(baseUrl: string, local?: LocalTraces) {
  /** The response itself, status checked, for streams and other media types. */
  async function request(path: string, params: ApiParams = {}, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${baseUrl}${path}${queryOf(params)}`, init);
    } catch (error) {
      if (isAbort(error)) throw error;
      const detail = error instanceof Error ? error.message : String(error);
      throw new ApiError({ type: "about:blank", title: "unreachable", status: 0, detail });
    }
    if (!response.ok) throw new ApiError(await problemOf(response));
    return response;
  }

  async function getJson<T>(path: string, params: ApiParams, signal?: AbortSignal): Promise<T> {
    const response = await request(path, params, { headers: { accept: "application/json" }, ...(signal && { signal }) });
    const body: unknown = await response.json();
    // Same version on both ends; see the head of this file.
    return body as T;
  }

  const segment = (text: string): string => encodeURIComponent(text.toWellFormed());

  return {
    request,
    getJson,
    listServices: (params: ApiParams, signal?: AbortSignal) => getJson<ServicesAnswer>("/services", params, signal),
    getService: (name: string, params: ApiParams, signal?: AbortSignal) =>
      getJson<ServiceAnswer>(`/services/${segment(name)}`, params, signal),
    findTraces: (params: ApiParams, signal?: AbortSignal) => getJson<TraceSearchAnswer>("/traces", params, signal),
    /** By row of the skeleton for the same span: nanoseconds to add to its start so that the clocks agree. */
    getClocks: async (traceId: string, spanId: string | null, signal?: AbortSignal): Promise<Float64Array> => {
      const known = await local?.clocks(traceId);
      if (known !== undefined && known !== null) return known;
      const init = { headers: { accept: CLOCKS_MEDIA_TYPE }, ...(signal && { signal }) };
      return decodeClocks(
        await (await request(`/traces/${segment(traceId)}`, { view: "clocks", span: spanId }, init)).arrayBuffer(),
      );
    },
    getSpan: async (traceId: string, spanId: string, signal?: AbortSignal) =>
      (await local?.span(traceId, spanId)) ??
      getJson<SpanDetail>(`/traces/${segment(traceId)}/spans/${segment(spanId)}`, {}, signal),
    getTraceLinks: (traceId: string, signal?: AbortSignal) =>
      getJson<TraceLinksAnswer>(`/traces/${segment(traceId)}/links`, {}, signal),
    getDiff: (params: ApiParams, signal?: AbortSignal) => getJson<DiffAnswer>("/diff", params, signal),
    getLatency: (params: ApiParams, signal?: AbortSignal) => getJson<LatencyAnswer>("/latency", params, signal),
    getHeatmap: (params: ApiParams, signal?: AbortSignal) => getJson<HeatmapAnswer>("/heatmap", params, signal),
    findExemplars: (params: ApiParams, signal?: AbortSignal) => getJson<ExemplarsAnswer>("/exemplars", params, signal),
    getOutliers: (params: ApiParams, signal?: AbortSignal) => getJson<OutliersAnswer>("/outliers", params, signal),
    getCriticalPath: (params: ApiParams, signal?: AbortSignal) => getJson<CriticalPathAnswer>("/critical-path", params, signal),
    getDependencies: (params: ApiParams, signal?: AbortSignal) => getJson<DependenciesAnswer>("/dependencies", params, signal),
    listAttributes: (params: ApiParams, signal?: AbortSignal) => getJson<AttributesAnswer>("/attributes", params, signal),
    listAttributeValues: (key: string, params: ApiParams, signal?: AbortSignal) =>
      getJson<AttributeValuesAnswer>(`/attributes/${segment(key)}/values`, params, signal),
    getIngest: (signal?: AbortSignal) => getJson<IngestAnswer>("/ingest", {}, signal),
  };
}

let localTraces: LocalTraces | null = null;

/** From now on what is asked of these traces is answered from here. */
export function setLocalTraces(local: LocalTraces): void {
  localTraces = local;
}

/** The API that served this page. */
export const api = openApi("/api/v1", {
  clocks: async (traceId) => (await localTraces?.clocks(traceId)) ?? null,
  span: async (traceId, spanId) => (await localTraces?.span(traceId, spanId)) ?? null,
});
