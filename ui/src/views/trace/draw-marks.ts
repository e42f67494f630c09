/** What is laid over the waterfall's bars: critical path, events, gaps, ghosts of adjusted spans, arcs of links, compressed idle time. */
import { waitOf } from "../../lib/trace/arcs.ts";
import { LABEL_GAP } from "../../lib/trace/bars.ts";
import { widthOf } from "./draw-text.ts";
import { xAt, type Palette, type Scene } from "./scene.ts";

const PATH_HEIGHT = 3;
const PATH_WIDTH_MIN = 0.8;
const GAP_WIDTH_MIN = 3;
const HATCH_SIZE = 6;
/** From the middle of a bar to where an arc leaves it. */
const ARC_START = 6;

export function drawPath(context: CanvasRenderingContext2D, scene: Scene, row: number, top: number): void {
  const segments = scene.path?.get(row);
  if (segments === undefined) return;
  context.fillStyle = scene.palette.text;
  for (const { startNano, endNano } of segments) {
    const from = Math.max(0, xAt(scene, startNano));
    const to = Math.min(scene.width, xAt(scene, endNano));
    // Slivers between calls would look like marks of something.
    if (to - from >= PATH_WIDTH_MIN) context.fillRect(from, top + scene.barHeight - PATH_HEIGHT, to - from, PATH_HEIGHT);
  }
}

export function drawEvents(context: CanvasRenderingContext2D, scene: Scene, top: number): void {
  const traceStart = BigInt(scene.model.head.startNano);
  let lastX = -Infinity;
  for (const event of scene.events?.list ?? []) {
    const x = xAt(scene, Number(BigInt(event.timeNano) - traceStart));
    // Ten thousand events share a few hundred pixels.
    if (x < 0 || x > scene.width || Math.abs(x - lastX) < 1) continue;
    lastX = x;
    context.fillStyle = scene.palette.surface;
    context.fillRect(x - 2, top - 3, 4, scene.barHeight + 6);
    context.fillStyle = scene.palette.text;
    context.fillRect(x - 1, top - 3, 2, scene.barHeight + 6);
  }
}

/** Stripes of the surface, through which the bar's colour is seen. One pattern per theme. */
const hatches = new Map<string, CanvasPattern | null>();

function hatchOf(context: CanvasRenderingContext2D, colour: string): CanvasPattern | null {
  const known = hatches.get(colour);
  if (known !== undefined) return known;
  const tile = document.createElement("canvas");
  tile.width = HATCH_SIZE;
  tile.height = HATCH_SIZE;
  const pen = tile.getContext("2d");
  if (pen !== null) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2.4;
    pen.beginPath();
    for (const shift of [-HATCH_SIZE, 0, HATCH_SIZE]) {
      pen.moveTo(shift - 1, HATCH_SIZE + 1);
      pen.lineTo(shift + HATCH_SIZE + 1, -1);
    }
    pen.stroke();
  }
  const pattern = context.createPattern(tile, "repeat");
  hatches.set(colour, pattern);
  return pattern;
}

/** The stretches of a span that no child covers are hatched. */
export function drawGaps(context: CanvasRenderingContext2D, scene: Scene, row: number, top: number): void {
  const gaps = scene.gapsOf?.(row) ?? [];
  if (gaps.length === 0) return;
  const hatch = hatchOf(context, scene.palette.surface);
  if (hatch === null) return;
  context.fillStyle = hatch;
  for (const { startNano, endNano } of gaps) {
    const from = Math.max(0, xAt(scene, startNano));
    const to = Math.min(scene.width, xAt(scene, endNano));
    if (to - from >= GAP_WIDTH_MIN) context.fillRect(from, top, to - from, scene.barHeight);
  }
}

/** Where the clocks were adjusted, the outline of what was sent. */
export function drawGhost(context: CanvasRenderingContext2D, scene: Scene, row: number, top: number): void {
  const movedBy = scene.movedBy?.[row] ?? 0;
  if (movedBy === 0) return;
  const start = (scene.model.start[row] ?? 0) - movedBy;
  const from = xAt(scene, start);
  const to = xAt(scene, start + (scene.model.duration[row] ?? 0));
  if (to < 0 || from > scene.width) return;
  context.strokeStyle = scene.palette.muted;
  context.setLineDash([3, 2]);
  context.lineWidth = 1;
  context.strokeRect(from + 0.5, top + 0.5, Math.max(2, to - from - 1), scene.barHeight - 1);
  context.setLineDash([]);
}

/** Compressed idle time as hatched bands over all rows. */
export function drawIdle(context: CanvasRenderingContext2D, scene: Scene): void {
  if (scene.axis.idle.length === 0) return;
  const hatch = hatchOf(context, scene.palette.grid);
  if (hatch === null) return;
  context.fillStyle = hatch;
  for (const { from, to } of scene.axis.idle) {
    const x0 = Math.max(0, xAt(scene, from));
    const x1 = Math.min(scene.width, xAt(scene, to));
    if (x1 > x0) context.fillRect(x0, 0, x1 - x0, scene.height);
  }
}

/** From the end of each span that is linked to, to the start of the one that links, with how long the message waited. */
export function drawArcs(context: CanvasRenderingContext2D, scene: Scene): void {
  context.lineWidth = 1.4;
  for (const arc of scene.arcs) {
    const fromLine = scene.arcLines.get(arc.from);
    const toLine = scene.arcLines.get(arc.to);
    if (fromLine === undefined || toLine === undefined || fromLine === toLine) continue;
    const middle = scene.barTop + scene.barHeight / 2 - scene.offset;
    const y1 = fromLine * scene.rowHeight + middle;
    const y2 = toLine * scene.rowHeight + middle;
    if (Math.max(y1, y2) < 0 || Math.min(y1, y2) > scene.height) continue;
    const x1 = xAt(scene, (scene.model.start[arc.from] ?? 0) + (scene.model.duration[arc.from] ?? 0));
    const x2 = xAt(scene, scene.model.start[arc.to] ?? 0);
    if (Math.max(x1, x2) < 0 || Math.min(x1, x2) > scene.width) continue;
    drawArc(context, scene.palette, x1, y1, x2, y2);
    const waitNano = waitOf(scene.model, arc);
    if (waitNano > 0) drawWait(context, scene, scene.waitLabel(waitNano), x2, y2);
  }
}

/** Down (or up) from the bar's end, then along the row of the span that links: clear of both rows' labels. */
function drawArc(context: CanvasRenderingContext2D, palette: Palette, x1: number, y1: number, x2: number, y2: number): void {
  context.strokeStyle = palette.accent;
  context.fillStyle = palette.accent;
  context.beginPath();
  context.moveTo(x1, y1 + Math.sign(y2 - y1) * ARC_START);
  context.bezierCurveTo(x1, y2, x1, y2, x2 - 4, y2);
  context.stroke();
  context.beginPath();
  context.moveTo(x2, y2);
  context.lineTo(x2 - 6, y2 - 3.5);
  context.lineTo(x2 - 6, y2 + 3.5);
  context.fill();
}

/** Left of the arc's end, where nothing of the row itself is drawn. */
function drawWait(context: CanvasRenderingContext2D, scene: Scene, text: string, x: number, y: number): void {
  const width = widthOf(context, text);
  const left = x - width - LABEL_GAP - 12;
  if (left < 0) return;
  context.fillStyle = scene.palette.surface;
  context.fillRect(left - 3, y - 7, width + 6, 14);
  context.fillStyle = scene.palette.accent;
  context.fillText(text, left, y + 0.5);
}
