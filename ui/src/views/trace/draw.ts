/** The waterfall's one canvas: grid, bars, labels. It draws the rows in view, so its cost does not grow with the trace. */
import type { SpanEventJson } from "@callchain/schemas/api/traces.ts";
import { formatDuration } from "../../lib/format.ts";
import { barOf, mergeBars, xOf, type Bar } from "../../lib/trace/bars.ts";
import type { PathSegment } from "../../lib/trace/critical-path.ts";
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
  readonly window: TimeWindow;
  readonly ticks: readonly Tick[];
  readonly palette: Palette;
  /** By the model's service index. */
  readonly colours: readonly string[];
  readonly matches: Uint8Array | null;
  readonly path: ReadonlyMap<number, readonly PathSegment[]> | null;
  readonly summaryOf: (kin: number) => GroupSummary | null;
  readonly groupLabel: (summary: GroupSummary) => string;
  /** Events of the span in the dock, once they are known. */
  readonly events: { readonly row: number; readonly list: readonly SpanEventJson[] } | null;
  readonly fontFamily: string;
}

const DIMMED = 0.3;
const LABEL_GAP = 5;
/** What remains of a bar behind a label on it, gaps included. */
const BAR_END_WIDTH = 36;
const PATH_HEIGHT = 3;
const PATH_WIDTH_MIN = 0.8;

export function drawScene(context: CanvasRenderingContext2D, scene: Scene): void {
  const { width, height, window, palette } = scene;
  context.clearRect(0, 0, width, height);
  context.fillStyle = palette.grid;
  for (const tick of scene.ticks) context.fillRect(Math.round(xOf(tick.nano, window, width)), 0, 1, height);
  context.font = `11px ${scene.fontFamily}`;
  context.textBaseline = "middle";
  for (let index = scene.from; index < scene.to; index++) {
    const line = scene.visible.lines[index] ?? 0;
    const top = index * scene.rowHeight - scene.offset + scene.barTop;
    if (line < 0) drawGroup(context, scene, ~line, top);
    else drawSpan(context, scene, line, top);
  }
  context.globalAlpha = 1;
}

function drawSpan(context: CanvasRenderingContext2D, scene: Scene, row: number, top: number): void {
  const { model, window, width, palette } = scene;
  const duration = model.duration[row] ?? 0;
  const bar = barOf(model.start[row] ?? 0, duration, window, width);
  if (bar === null) return drawPointer(context, scene, model.start[row] ?? 0, top);
  const isError = model.isError(row);
  context.globalAlpha = scene.matches === null || scene.matches[row] === 1 ? 1 : DIMMED;
  context.fillStyle = isError ? palette.error : (scene.colours[model.service[row] ?? 0] ?? palette.muted);
  fillBar(context, bar, top, scene.barHeight);
  drawPath(context, scene, row, top);
  if (scene.events?.row === row) drawEvents(context, scene, top);
  drawLabel(context, scene, bar, top, formatDuration(duration), isError);
}

function drawGroup(context: CanvasRenderingContext2D, scene: Scene, kin: number, top: number): void {
  const { model, window, width, palette } = scene;
  const summary = scene.summaryOf(kin);
  const first = scene.alike.firstOf(kin);
  if (summary === null) return;
  const bars = mergeBars(model, scene.alike.membersOf(kin), window, width);
  const [firstBar] = bars;
  const lastBar = bars.at(-1);
  if (firstBar === undefined || lastBar === undefined) return drawPointer(context, scene, summary.startNano, top);
  context.globalAlpha = scene.matches === null || anyMatch(scene, kin) ? 1 : DIMMED;
  context.fillStyle = summary.errorCount > 0 ? palette.error : (scene.colours[model.service[first] ?? 0] ?? palette.muted);
  for (const bar of bars) context.fillRect(bar.x0, top, bar.x1 - bar.x0, scene.barHeight);
  // A line under all of them says that they are one row.
  context.fillRect(firstBar.x0, top + scene.barHeight + 1, lastBar.x1 - firstBar.x0, 1);
  drawLabel(context, scene, { x0: firstBar.x0, x1: lastBar.x1 }, top, scene.groupLabel(summary), summary.errorCount > 0);
}

function anyMatch(scene: Scene, kin: number): boolean {
  return scene.alike.membersOf(kin).some((row) => scene.matches?.[row] === 1);
}

function fillBar(context: CanvasRenderingContext2D, bar: Bar, top: number, height: number): void {
  if (bar.x1 - bar.x0 < 6) {
    context.fillRect(bar.x0, top, bar.x1 - bar.x0, height);
    return;
  }
  context.beginPath();
  context.roundRect(bar.x0, top, bar.x1 - bar.x0, height, 2);
  context.fill();
}

/** A span outside of the window: an arrow at the edge beyond which it lies. */
function drawPointer(context: CanvasRenderingContext2D, scene: Scene, startNano: number, top: number): void {
  const isEarlier = startNano < scene.window.t0;
  const middle = top + scene.barHeight / 2;
  const x = isEarlier ? 3 : scene.width - 3;
  const out = isEarlier ? 5 : -5;
  context.globalAlpha = 1;
  context.fillStyle = scene.palette.muted;
  context.beginPath();
  context.moveTo(x, middle);
  context.lineTo(x + out, middle - 4);
  context.lineTo(x + out, middle + 4);
  context.fill();
}

function drawPath(context: CanvasRenderingContext2D, scene: Scene, row: number, top: number): void {
  const segments = scene.path?.get(row);
  if (segments === undefined) return;
  context.fillStyle = scene.palette.text;
  for (const { startNano, endNano } of segments) {
    const from = Math.max(0, xOf(startNano, scene.window, scene.width));
    const to = Math.min(scene.width, xOf(endNano, scene.window, scene.width));
    // Slivers between calls would look like marks of something.
    if (to - from >= PATH_WIDTH_MIN) context.fillRect(from, top + scene.barHeight - PATH_HEIGHT, to - from, PATH_HEIGHT);
  }
}

function drawEvents(context: CanvasRenderingContext2D, scene: Scene, top: number): void {
  const traceStart = BigInt(scene.model.head.startNano);
  for (const event of scene.events?.list ?? []) {
    const x = xOf(Number(BigInt(event.timeNano) - traceStart), scene.window, scene.width);
    if (x < 0 || x > scene.width) continue;
    context.fillStyle = scene.palette.surface;
    context.fillRect(x - 2, top - 3, 4, scene.barHeight + 6);
    context.fillStyle = scene.palette.text;
    context.fillRect(x - 1, top - 3, 2, scene.barHeight + 6);
  }
}

/** Widths of labels repeat, and measuring is the dearest call of a frame. */
const labelWidths = new Map<string, number>();
const LABEL_WIDTHS_MAX = 5000;

function widthOf(context: CanvasRenderingContext2D, text: string): number {
  let width = labelWidths.get(text);
  if (width === undefined) {
    if (labelWidths.size >= LABEL_WIDTHS_MAX) labelWidths.clear();
    width = context.measureText(text).width;
    labelWidths.set(text, width);
  }
  return width;
}

/** Right of the bar, else left of it, else on a patch of the surface near the bar's end, which stays to be seen. */
function drawLabel(context: CanvasRenderingContext2D, scene: Scene, bar: Bar, top: number, text: string, isError: boolean): void {
  const glyphWidth = isError ? 15 : 0;
  const textWidth = widthOf(context, text);
  const needed = glyphWidth + textWidth;
  const middle = top + scene.barHeight / 2;
  let x = bar.x1 + LABEL_GAP;
  if (x + needed > scene.width) x = bar.x0 - LABEL_GAP - needed;
  if (x < 0) {
    x = Math.max(bar.x0, bar.x1 - needed - BAR_END_WIDTH) + LABEL_GAP;
    context.fillStyle = scene.palette.surface;
    context.fillRect(x - LABEL_GAP, top - 1, needed + 2 * LABEL_GAP, scene.barHeight + 3);
  }
  if (isError) {
    drawErrorGlyph(context, scene, x + 6, middle);
    x += glyphWidth;
  }
  context.fillStyle = isError ? scene.palette.error : scene.palette.muted;
  context.fillText(text, x, middle + 0.5);
}

function drawErrorGlyph(context: CanvasRenderingContext2D, scene: Scene, x: number, y: number): void {
  context.fillStyle = scene.palette.error;
  context.beginPath();
  context.arc(x, y, 5.5, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = scene.palette.surface;
  context.fillRect(x - 0.8, y - 3.4, 1.6, 4.2);
  context.fillRect(x - 0.8, y + 1.8, 1.6, 1.6);
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
