/** The pointer over the bars: wheel zooms and pans, a drag marks what to zoom to, a drag with Shift or the middle button pans. */
import { nanoAt } from "../../lib/trace/bars.ts";
import type { TimeWindow } from "../../lib/trace/window.ts";
import type { TraceView } from "./view.svelte.ts";

/** A press that moves less than this is a click. */
const DRAG_MIN = 4;
const LINE_PIXELS = 16;
const WHEEL_ZOOM = 0.0022;
const WHEEL_DELTA_MAX = 240;

export interface PointerHost {
  view(): TraceView;
  paneLeft(): number;
  paneWidth(): number;
  /** The time that the pane's width stands for. */
  shownWindow(): TimeWindow;
  scrollBy(by: number): void;
  /** True where the scroll bar is scaled, and the wheel must be carried out by hand to move one to one. */
  ownsScrolling(): boolean;
}

interface Drag {
  readonly type: "brush" | "pan";
  readonly startX: number;
  lastX: number;
  moved: boolean;
}

class WaterfallPointer {
  /** Pixels of the pane while something is being marked. */
  brush = $state.raw<{ readonly x0: number; readonly x1: number } | null>(null);
  readonly #host: PointerHost;
  #drag: Drag | null = null;
  #wasDrag = false;

  constructor(host: PointerHost) {
    this.#host = host;
  }

  /** Whether the press that a click event ends was a drag. */
  wasDrag(): boolean {
    return this.#wasDrag;
  }

  #xIn(event: MouseEvent): number {
    const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : null;
    return event.clientX - (box?.left ?? 0) - this.#host.paneLeft();
  }

  onpointerdown = (event: PointerEvent): void => {
    this.#wasDrag = false;
    const x = this.#xIn(event);
    if (event.pointerType === "touch" || x < 0 || x > this.#host.paneWidth() || event.button > 1) return;
    // Without this the middle button starts the browser's own scrolling.
    if (event.button === 1) event.preventDefault();
    this.#drag = { type: event.shiftKey || event.button === 1 ? "pan" : "brush", startX: x, lastX: x, moved: false };
  };

  onpointermove = (event: PointerEvent): void => {
    const drag = this.#drag;
    if (drag === null) return;
    const x = this.#xIn(event);
    if (!drag.moved && Math.abs(x - drag.startX) < DRAG_MIN) return;
    if (!drag.moved && event.currentTarget instanceof Element) event.currentTarget.setPointerCapture(event.pointerId);
    drag.moved = true;
    const width = this.#host.paneWidth();
    if (drag.type === "pan") this.#host.view().pan((drag.lastX - x) / width);
    else {
      const inside = Math.min(width, Math.max(0, x));
      this.brush = { x0: Math.min(drag.startX, inside), x1: Math.max(drag.startX, inside) };
    }
    drag.lastX = x;
  };

  onpointerup = (): void => {
    const view = this.#host.view();
    if (this.brush !== null) {
      const width = this.#host.paneWidth();
      const shown = this.#host.shownWindow();
      view.setWindow({ t0: nanoAt(this.brush.x0, shown, width), t1: nanoAt(this.brush.x1, shown, width) });
    }
    this.#wasDrag = this.#drag?.moved ?? false;
    this.onpointercancel();
  };

  onpointercancel = (): void => {
    this.#drag = null;
    this.brush = null;
  };

  /** Not passive, since zooming must keep the browser from zooming the page. */
  attachWheel = (element: HTMLElement): (() => void) => {
    const onwheel = (event: WheelEvent): void => this.#wheel(event);
    element.addEventListener("wheel", onwheel, { passive: false });
    return () => element.removeEventListener("wheel", onwheel);
  };

  #wheel(event: WheelEvent): void {
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1;
    const width = this.#host.paneWidth();
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const delta = Math.max(-WHEEL_DELTA_MAX, Math.min(WHEEL_DELTA_MAX, event.deltaY * unit));
      const view = this.#host.view();
      const at = nanoAt(Math.max(0, this.#xIn(event)), this.#host.shownWindow(), width);
      const anchor = Math.min(1, (at - view.window.t0) / (view.window.t1 - view.window.t0));
      // A pinch on a trackpad comes as small deltas.
      const speed = event.deltaMode === 0 && Math.abs(event.deltaY) < 20 ? 4 * WHEEL_ZOOM : WHEEL_ZOOM;
      view.zoom(Math.exp(delta * speed), anchor);
      return;
    }
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) {
      event.preventDefault();
      this.#host.view().pan((sideways * unit) / width);
    } else if (this.#host.ownsScrolling()) {
      event.preventDefault();
      this.#host.scrollBy(event.deltaY * unit);
    }
  }
}

export function trackPointer(host: PointerHost): WaterfallPointer {
  return new WaterfallPointer(host);
}
