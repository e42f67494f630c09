/** SVG paths of a small line over equal steps. */

/** A line from left to right and the area beneath it, in a box of the given size; the largest value touches the top. */
export function sparklinePaths(values: readonly number[], width: number, height: number): { line: string; area: string } {
  if (values.length === 0) return { line: "", area: "" };
  const max = Math.max(...values, 1);
  const step = values.length === 1 ? 0 : width / (values.length - 1);
  const round = (value: number): string => `${Math.round(value * 100) / 100}`;
  const y = (value: number): string => round(height - (value / max) * (height - 1));
  const points = values.map((value, index) => `${round(index * step)},${y(value)}`);
  // One step is drawn as a level line across.
  if (values.length === 1) points.push(`${width},${y(values[0] ?? 0)}`);
  return { line: `M${points.join("L")}`, area: `M0,${height}L${points.join("L")}L${width},${height}Z` };
}
