/** The layout worker as a function. Close it when its page goes. */
import type { Layout, LayoutRequest } from "../../lib/map/layout.ts";
import type { LayoutReply, LayoutTask } from "./layout-worker.ts";

export class Layouter {
  readonly #worker = new Worker(new URL("./layout-worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, { resolve: (layout: Layout) => void; reject: (error: Error) => void }>();
  #count = 0;

  constructor() {
    this.#worker.addEventListener("message", (event: MessageEvent<LayoutReply>) => {
      const reply = event.data;
      const waiter = this.#waiting.get(reply.number);
      this.#waiting.delete(reply.number);
      if ("layout" in reply) waiter?.resolve(reply.layout);
      else waiter?.reject(new Error(reply.reason));
    });
    this.#worker.addEventListener("error", (event) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message));
      this.#waiting.clear();
    });
  }

  layout(request: LayoutRequest): Promise<Layout> {
    this.#count += 1;
    const task: LayoutTask = { number: this.#count, request };
    return new Promise((resolve, reject) => {
      this.#waiting.set(task.number, { resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
      this.#worker.postMessage(task);
    });
  }

  close(): void {
    this.#worker.terminate();
    this.#waiting.clear();
  }
}
