/** What the reader lays over the waterfall or takes away from it: critical path, gaps, links, idle time, adjusted clocks. */
import type { Problem } from "@callchain/schemas/api/common.ts";
import { api, ApiError, isAbort } from "../../lib/api.ts";
import { parseShown, type Shown } from "../../lib/trace/address.ts";
import { TimeAxis, findIdle } from "../../lib/trace/axis.ts";
import type { TraceModel } from "../../lib/trace/model.ts";

export class Overlays implements Shown {
  path = $state(false);
  gaps = $state(false);
  links = $state(true);
  idle = $state(false);

  read(text: string | null): void {
    Object.assign(this, parseShown(text));
  }
}

/** The axis of a model: with its idle time compressed, or as it is. */
export function axisOf(model: TraceModel, isCompressed: boolean): TimeAxis {
  return new TimeAxis(model.endNano, isCompressed ? findIdle(model) : []);
}

interface Host {
  readonly model: TraceModel | null;
  readonly askedSpanId: string | null;
  startsMoved(): void;
}

/**
 * Starts moved by the server's estimate of the clocks' differences. The model's starts are the ones that are shown; what was sent is
 * those less `byRow`.
 */
export class ClockAdjustment {
  /** Nanoseconds that each row's start is moved by; null while times are shown as sent. */
  byRow = $state.raw<Float64Array | null>(null);
  loading = $state(false);
  problem = $state.raw<Problem | null>(null);
  readonly #host: Host;
  #known: Float64Array | null = null;
  #controller: AbortController | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  get isOn(): boolean {
    return this.byRow !== null;
  }

  /** Forgets what belongs to another trace. */
  reset(): void {
    this.#controller?.abort();
    this.byRow = null;
    this.#known = null;
    this.problem = null;
    this.loading = false;
  }

  /** To be called once the whole trace has arrived. */
  async turnOn(traceId: string): Promise<void> {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    this.loading = true;
    this.problem = null;
    try {
      this.#known ??= await api.getClocks(traceId, this.#host.askedSpanId, controller.signal);
      if (!controller.signal.aborted) this.#move(this.#known);
    } catch (error) {
      if (controller.signal.aborted || isAbort(error)) return;
      this.problem =
        error instanceof ApiError ? error.problem : { type: "about:blank", title: "", status: 0, detail: String(error) };
    } finally {
      if (this.#controller === controller) this.loading = false;
    }
  }

  turnOff(): void {
    this.#move(null);
  }

  #move(byRow: Float64Array | null): void {
    const { model } = this.#host;
    if (model === null) return;
    for (let row = 0; row < model.rowCount; row++) {
      model.start[row] = (model.start[row] ?? 0) + (byRow?.[row] ?? 0) - (this.byRow?.[row] ?? 0);
    }
    this.byRow = byRow;
    this.#host.startsMoved();
  }
}
