/**
 * Where the list stands. Browsers limit an element's height (about 16 to 33 million pixels), so above a cap the scroll bar stands
 * for more content than it has pixels: `offset` is in content pixels, `scrollTop` in the element's.
 *
 *   1,000,000 rows x 24 px = 24,000,000 content px, cap 8,000,000: dragging the bar by 1 px moves 3 px, the wheel still moves 1:1
 */
export const SCROLL_HEIGHT_MAX = 8_000_000;

export interface ScrollExtent {
  readonly rowCount: number;
  readonly rowHeight: number;
  readonly viewHeight: number;
}

export function contentHeight(extent: ScrollExtent): number {
  return extent.rowCount * extent.rowHeight;
}

/** The height to give the element. */
export function scrollHeight(extent: ScrollExtent): number {
  return Math.min(SCROLL_HEIGHT_MAX, contentHeight(extent));
}

export function offsetMax(extent: ScrollExtent): number {
  return Math.max(0, contentHeight(extent) - extent.viewHeight);
}

export function clampOffset(offset: number, extent: ScrollExtent): number {
  return Math.min(offsetMax(extent), Math.max(0, offset));
}

/** Content pixels per pixel of the scroll bar; 1 below the cap. */
export function scrollScale(extent: ScrollExtent): number {
  const track = scrollHeight(extent) - extent.viewHeight;
  return track <= 0 ? 1 : offsetMax(extent) / track;
}

/** The least move of the offset that shows a row whole, with one row of context where there is room. */
export function offsetToShow(row: number, offset: number, extent: ScrollExtent): number {
  const context = extent.viewHeight >= 5 * extent.rowHeight ? extent.rowHeight : 0;
  const top = row * extent.rowHeight - context;
  const bottom = (row + 1) * extent.rowHeight + context;
  if (top < offset) return clampOffset(top, extent);
  if (bottom > offset + extent.viewHeight) return clampOffset(bottom - extent.viewHeight, extent);
  return offset;
}

/** The rows that are in view, at least in part: from, and one past the last. */
export function rowsInView(offset: number, extent: ScrollExtent): { from: number; to: number } {
  const from = Math.max(0, Math.floor(offset / extent.rowHeight));
  return { from, to: Math.min(extent.rowCount, Math.ceil((offset + extent.viewHeight) / extent.rowHeight)) };
}
