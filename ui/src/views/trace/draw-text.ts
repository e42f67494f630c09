/** Texts and glyphs on a canvas. */
import type { Palette } from "./scene.ts";

/** Widths of labels repeat, and measuring is the dearest call of a frame. */
const labelWidths = new Map<string, number>();
const LABEL_WIDTHS_MAX = 5000;

export function widthOf(context: CanvasRenderingContext2D, text: string): number {
  let width = labelWidths.get(text);
  if (width === undefined) {
    if (labelWidths.size >= LABEL_WIDTHS_MAX) labelWidths.clear();
    width = context.measureText(text).width;
    labelWidths.set(text, width);
  }
  return width;
}

export function drawErrorGlyph(context: CanvasRenderingContext2D, palette: Palette, x: number, y: number): void {
  context.fillStyle = palette.error;
  context.beginPath();
  context.arc(x, y, 5.5, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = palette.surface;
  context.fillRect(x - 0.8, y - 3.4, 1.6, 4.2);
  context.fillRect(x - 0.8, y + 1.8, 1.6, 1.6);
}
