/**
 * Fetches a trace's skeleton and decodes it off the page's thread. Each chunk's buffer is transferred, not copied, as soon as it is
 * whole, so the first rows draw while the others are still on their way. One worker per load; ending the worker ends the request.
 */
import { SKELETON_MEDIA_TYPE, SkeletonDecoder, type SkeletonChunk, type SkeletonStart } from "@callchain/schemas/api/skeleton.ts";
import { ApiError, openApi } from "../../lib/api.ts";
import type { Problem } from "@callchain/schemas/api/common.ts";

export interface SkeletonRequest {
  readonly traceId: string;
  /** The span that is to be shown: it comes even where a trace is too large to come whole. */
  readonly spanId: string | null;
  /** Of a trace from a file: its frames, so that nothing is fetched. */
  readonly frames?: Uint8Array;
}

export type SkeletonMessage =
  | { readonly type: "start"; readonly start: SkeletonStart }
  | { readonly type: "chunk"; readonly chunk: SkeletonChunk }
  | { readonly type: "done" }
  | { readonly type: "failed"; readonly problem: Problem };

function send(message: SkeletonMessage, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}

async function fetchFrames(traceId: string, span: string | null): Promise<Response> {
  return openApi("/api/v1").request(
    `/traces/${encodeURIComponent(traceId.toWellFormed())}`,
    { view: "skeleton", span },
    { headers: { accept: SKELETON_MEDIA_TYPE } },
  );
}

async function load({ traceId, spanId, frames }: SkeletonRequest): Promise<void> {
  const response = frames === undefined ? await fetchFrames(traceId, spanId) : new Response(new Blob([new Uint8Array(frames)]));
  const decoder = new SkeletonDecoder();
  const reader = response.body?.getReader();
  let started = false;
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
    const chunks = decoder.push(piece.value);
    if (!started && decoder.start !== undefined) {
      started = true;
      send({ type: "start", start: decoder.start });
    }
    // The columns of a chunk are views on one buffer of their own.
    for (const chunk of chunks) send({ type: "chunk", chunk }, [chunk.start.buffer]);
  }
  if (decoder.start === undefined || decoder.pendingByteCount > 0) throw new Error("the answer was cut off");
  send({ type: "done" });
}

function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  // What a stream rejects with where its connection breaks.
  if (error instanceof TypeError) return { type: "about:blank", title: "unreachable", status: 0, detail: error.message };
  return { type: "about:blank", title: "", status: 0, detail: error instanceof Error ? error.message : String(error) };
}

addEventListener("message", (event: MessageEvent<SkeletonRequest>) => {
  load(event.data).catch((error: unknown) => send({ type: "failed", problem: problemOf(error) }));
});
