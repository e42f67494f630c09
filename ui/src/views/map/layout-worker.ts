/** Lays graphs out away from the page's thread: one answer per request, by its number. */
import { layoutGraph, type Layout, type LayoutRequest } from "../../lib/map/layout.ts";

export interface LayoutTask {
  readonly number: number;
  readonly request: LayoutRequest;
}
export type LayoutReply =
  | { readonly number: number; readonly layout: Layout }
  | { readonly number: number; readonly reason: string };

addEventListener("message", (event: MessageEvent<LayoutTask>) => {
  const { number, request } = event.data;
  let reply: LayoutReply;
  try {
    reply = { number, layout: layoutGraph(request) };
  } catch (error) {
    reply = { number, reason: error instanceof Error ? error.message : String(error) };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has only its page
  postMessage(reply);
});
