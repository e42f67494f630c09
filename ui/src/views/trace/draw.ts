/** The waterfall's one canvas: grid, bars, labels. It draws the rows in view, so its cost does not grow with the trace. */
import { formatDuration } from "../../lib/format.ts";
import { barOf, LABEL_GAP, labelSpot, mergeBars, xOf, type Bar } from "../../lib/trace/bars.ts";
import { drawArcs, drawEvents, drawGaps, drawGhost, drawIdle, drawPath } from "./draw-marks.ts";
import { drawErrorGlyph, widthOf } from "./draw-text.ts";
import type { Scene } from "./scene.ts";

const DIMMED = 0.3;
/** What remains of a bar behind a label on it, gaps included. */
const BAR_END_WIDTH = 36;
/** A group whose label finds no room beside its bars has flat bars and the label below them. */
const FLAT_HEIGHT = 6;
const FLAT_RAISE = 3;
const FLAT_LABEL_TOP = 15;

export function drawScene(context: CanvasRenderingContext2D, scene: Scene): void {
  const { width, height, window, palette } = scene;
  context.clearRect(0, 0, width, height);
  drawIdle(context, scene);
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
  drawArcs(context, scene);
}

function drawSpan(context: CanvasRenderingContext2D, scene: Scene, row: number, top: number): void {
  const { model, axis, window, width, palette } = scene;
  const start = model.start[row] ?? 0;
  const duration = model.duration[row] ?? 0;
  const shownStart = axis.toShown(start);
  drawGhost(context, scene, row, top);
  const bar = barOf(shownStart, axis.toShown(start + duration) - shownStart, window, width);
  if (bar === null) return drawPointer(context, scene, shownStart, top);
  const isError = model.isError(row);
  const isDimmed = scene.matches !== null && scene.matches[row] !== 1;
  context.globalAlpha = isDimmed ? DIMMED : 1;
  context.fillStyle = isError ? palette.error : (scene.colours[model.service[row] ?? 0] ?? palette.muted);
  fillBar(context, bar, top, scene.barHeight);
  drawGaps(context, scene, row, top);
  drawPath(context, scene, row, top);
  if (scene.events?.row === row) drawEvents(context, scene, top);
  const text = formatDuration(duration);
  const needed = neededFor(context, text, isError);
  const spot = labelSpot([bar], needed, width) ?? drawPatch(context, scene, bar, top, needed);
  drawLabel(context, scene, spot, top + scene.barHeight / 2, { text, isError, isDimmed });
}

function drawGroup(context: CanvasRenderingContext2D, scene: Scene, kin: number, top: number): void {
  const { model, axis, window, width, palette } = scene;
  const summary = scene.summaryOf(kin);
  const first = scene.alike.firstOf(kin);
  if (summary === null) return;
  const bars = mergeBars(model, scene.alike.membersOf(kin), axis, window, width);
  const [firstBar] = bars;
  const lastBar = bars.at(-1);
  if (firstBar === undefined || lastBar === undefined) {
    return drawPointer(context, scene, axis.toShown(summary.startNano), top);
  }
  const text = scene.groupLabel(summary);
  const isError = summary.errorCount > 0;
  const needed = neededFor(context, text, isError);
  const spot = labelSpot(bars, needed, width);
  const barTop = spot === null ? top - FLAT_RAISE : top;
  const barHeight = spot === null ? FLAT_HEIGHT : scene.barHeight;
  const isDimmed = scene.matches !== null && !anyMatch(scene, kin);
  context.globalAlpha = isDimmed ? DIMMED : 1;
  context.fillStyle = isError ? palette.error : (scene.colours[model.service[first] ?? 0] ?? palette.muted);
  for (const bar of bars) context.fillRect(bar.x0, barTop, bar.x1 - bar.x0, barHeight);
  // A line under all of them says that they are one row.
  context.fillRect(firstBar.x0, barTop + barHeight + 1, lastBar.x1 - firstBar.x0, 1);
  const label = { text, isError, isDimmed };
  if (spot !== null) return drawLabel(context, scene, spot, top + scene.barHeight / 2, label);
  const below = Math.max(0, Math.min(firstBar.x0, width - needed));
  drawLabel(context, scene, below, top - FLAT_RAISE + FLAT_LABEL_TOP, label);
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
function drawPointer(context: CanvasRenderingContext2D, scene: Scene, shownStart: number, top: number): void {
  const isEarlier = shownStart < scene.window.t0;
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

const GLYPH_WIDTH = 15;

function neededFor(context: CanvasRenderingContext2D, text: string, isError: boolean): number {
  return widthOf(context, text) + (isError ? GLYPH_WIDTH : 0);
}

/** Where a label finds no room beside its bar: a patch of the surface near the bar's end, which stays to be seen. Returns the text's x. */
function drawPatch(context: CanvasRenderingContext2D, scene: Scene, bar: Bar, top: number, needed: number): number {
  const x = Math.max(bar.x0, bar.x1 - needed - BAR_END_WIDTH) + LABEL_GAP;
  context.fillStyle = scene.palette.surface;
  context.fillRect(x - LABEL_GAP, top - 1, needed + 2 * LABEL_GAP, scene.barHeight + 3);
  return x;
}

interface Label {
  readonly text: string;
  readonly isError: boolean;
  readonly isDimmed: boolean;
}

/** The text of a span that was not looked for loses its colour only: it must stay readable. */
function drawLabel(context: CanvasRenderingContext2D, scene: Scene, x: number, middle: number, label: Label): void {
  const { text, isError, isDimmed } = label;
  if (isError) drawErrorGlyph(context, scene.palette, x + 6, middle);
  context.globalAlpha = 1;
  context.fillStyle = isError && !isDimmed ? scene.palette.error : scene.palette.muted;
  context.fillText(text, isError ? x + GLYPH_WIDTH : x, middle + 0.5);
}
