/** What a frame of the waterfall's canvas is drawn from. */
import type { SpanEventJson } from "@callchain/schemas/api/traces.ts";
import type { SpanArc } from "../../lib/trace/arcs.ts";
import type { TimeAxis } from "../../lib/trace/axis.ts";
import { xOf } from "../../lib/trace/bars.ts";
import type { PathSegment } from "../../lib/trace/critical-path.ts";
import type { Gap } from "../../lib/trace/gaps.ts";
import type { AlikeSiblings, GroupSummary } from "../../lib/trace/groups.ts";
import type { TraceModel } from "../../lib/trace/model.ts";
import type { VisibleRows } from "../../lib/trace/rows.ts";
import type { Tick, TimeWindow } from "../../lib/trace/window.ts";

/** CSS colours of the theme, read once per theme. */
export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly surface: string;
  readonly error: string;
  readonly accent: string;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: read("--text"),
    muted: read("--text-muted"),
    grid: read("--grid"),
    surface: read("--surface"),
    error: read("--error"),
    accent: read("--accent"),
  };
}

export interface Scene {
  readonly model: TraceModel;
  readonly alike: AlikeSiblings;
  readonly visible: VisibleRows;
  /** Lines in view: from, and one past the last. */
  readonly from: number;
  readonly to: number;
  /** Content pixels above the view. */
  readonly offset: number;
  readonly rowHeight: number;
  readonly barHeight: number;
  /** Distance from the row's top to the bar's. */
  readonly barTop: number;
  readonly width: number;
  readonly height: number;
  readonly axis: TimeAxis;
  /** In the axis' shown time. */
  readonly window: TimeWindow;
  readonly ticks: readonly Tick[];
  readonly palette: Palette;
  /** By the model's service index. */
  readonly colours: readonly string[];
  readonly matches: Uint8Array | null;
  readonly path: ReadonlyMap<number, readonly PathSegment[]> | null;
  readonly gapsOf: ((row: number) => readonly Gap[]) | null;
  /** What the starts were moved by, where clocks were adjusted: a ghost shows what was sent. */
  readonly movedBy: Float64Array | null;
  readonly arcs: readonly SpanArc[];
  /** Index of the line that shows a row at an end of an arc. */
  readonly arcLines: ReadonlyMap<number, number>;
  readonly waitLabel: (waitNano: number) => string;
  readonly summaryOf: (kin: number) => GroupSummary | null;
  readonly groupLabel: (summary: GroupSummary) => string;
  /** Events of the span in the dock, once they are known. */
  readonly events: { readonly row: number; readonly list: readonly SpanEventJson[] } | null;
  readonly fontFamily: string;
}

/** x of an instant, in nanoseconds from the trace's start. */
export function xAt(scene: Scene, nano: number): number {
  return xOf(scene.axis.toShown(nano), scene.window, scene.width);
}

/** Sizes a canvas for the screen's pixels and returns its context in CSS pixels. */
export function openContext(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = devicePixelRatio;
  const pixelWidth = Math.max(1, Math.round(width * ratio));
  const pixelHeight = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
    canvas.width = pixelWidth;
    canvas.height = pixelHeight;
  }
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
