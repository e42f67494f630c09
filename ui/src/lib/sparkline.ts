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

/** Less of a step than this says too little of the rest of it. */
const SHARE_MIN = 0.25;

/** Counts as if the range covered every step in full: it may cut the first and the last, which would look like a fall. */
export function levelEnds(
  values: readonly number[],
  { fromNano, toNano }: { readonly fromNano: string; readonly toNano: string },
  stepSeconds: number,
): number[] {
  const stepNano = BigInt(Math.round(stepSeconds * 1e9));
  const [from, to] = [BigInt(fromNano), BigInt(toNano)];
  if (values.length < 3 || stepNano <= 0n) return [...values];
  const covered = (nano: bigint): number => Number(nano) / Number(stepNano);
  const first = covered(stepNano - (from % stepNano));
  const last = covered(((to - 1n) % stepNano) + 1n);
  const level = (value: number, share: number): number[] => (share < SHARE_MIN ? [] : [value / share]);
  return [...level(values[0] ?? 0, first), ...values.slice(1, -1), ...level(values.at(-1) ?? 0, last)];
}
