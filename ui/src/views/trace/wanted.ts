/** What an address asks of the trace page. */
import type { TimeWindow } from "../../lib/trace/window.ts";

/** What the address asks for; carried out as the rows arrive. */
export interface Wanted {
  readonly spanId: string | null;
  readonly rootId: string | null;
  /** In nanoseconds from the trace's start. */
  readonly window: TimeWindow | null;
  readonly folds: string | null;
  readonly text: string;
  /** Overlays, as the address says them. */
  readonly shown: string | null;
  readonly isAdjusted: boolean;
}

export const NOTHING_WANTED: Wanted = {
  spanId: null,
  rootId: null,
  window: null,
  folds: null,
  text: "",
  shown: null,
  isAdjusted: false,
};
