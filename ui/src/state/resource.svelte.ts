/** Something that is loaded: its state as a panel shows it, with the request before it given up when a new one starts. */
import type { Problem } from "@callchain/schemas/api/common.ts";
import { ApiError, isAbort } from "../lib/api.ts";

export class Resource<T> {
  /** The last value that arrived; stays while the next is on its way and when that fails. */
  value = $state.raw<T | undefined>(undefined);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  #controller: AbortController | undefined;
  #load: ((signal: AbortSignal) => Promise<T>) | undefined;

  /**
   * Loads; what is still under way is aborted. In a component: `$effect(() => resource.load((signal) => api.getX(params, signal)))` where
   * the parameters are read before the first await; the returned function aborts, so that the effect's cleanup does.
   */
  load(load: (signal: AbortSignal) => Promise<T>): () => void {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    this.#load = load;
    this.loading = true;
    void this.#run(load(controller.signal), controller);
    return () => controller.abort();
  }

  retry(): void {
    if (this.#load !== undefined) this.load(this.#load);
  }

  async #run(promise: Promise<T>, controller: AbortController): Promise<void> {
    try {
      const value = await promise;
      if (controller.signal.aborted) return;
      this.value = value;
      this.problem = null;
    } catch (error) {
      if (controller.signal.aborted || isAbort(error)) return;
      this.problem = problemFrom(error);
    } finally {
      if (this.#controller === controller) this.loading = false;
    }
  }
}

/** Any error as a problem for a panel. */
function problemFrom(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return { type: "about:blank", title: "", status: 0, detail: error instanceof Error ? error.message : String(error) };
}
