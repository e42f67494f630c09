/** Where a drawing is looked at, as the URL says it. */
export interface Zoom {
  /** What stands in the middle, in the drawing's units. */
  readonly x: number;
  readonly y: number;
  /** Pixels per unit. */
  readonly scale: number;
}

/** `<x>,<y>,<scale>`; null for anything else. */
export function readZoom(text: string | null): Zoom | null {
  if (text === null || !/^-?\d{1,7},-?\d{1,7},\d{1,2}(?:\.\d{1,4})?$/.test(text)) return null;
  const [x = 0, y = 0, scale = 0] = text.split(",").map(Number);
  return scale > 0 ? { x, y, scale } : null;
}

/** To a unit and a thousandth, which nobody can tell from what was seen. */
export function writeZoom({ x, y, scale }: Zoom): string {
  return `${Math.round(x)},${Math.round(y)},${Number(scale.toFixed(3))}`;
}
