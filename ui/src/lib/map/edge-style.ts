/** How an edge looks: width is traffic, colour error share. */

const WIDTH_MIN = 1.25;
const WIDTH_MAX = 7;

/** Widths in pixels by the logarithm of the calls, from the quietest edge to the busiest. */
export function edgeWidths(callCounts: readonly number[]): (callCount: number) => number {
  const logs = callCounts.map((count) => Math.log(Math.max(1, count)));
  const least = Math.min(...logs);
  const span = Math.max(...logs) - least;
  return (callCount) => {
    if (span <= 0 || logs.length === 0) return (WIDTH_MIN + WIDTH_MAX) / 3;
    return WIDTH_MIN + ((Math.log(Math.max(1, callCount)) - least) / span) * (WIDTH_MAX - WIDTH_MIN);
  };
}

/** From this share of failed calls on an edge is as red as it gets; below the least it is only just tinted. */
const TINT_FULL_SHARE = 0.05;
const TINT_LEAST_SHARE = 0.0005;
const TINT_LEAST = 0.15;

/** How far an edge's colour goes from neutral (0) to that of errors (1), by the logarithm of its share of failed calls. */
export function errorTint({ callCount, errorCount }: { readonly callCount: number; readonly errorCount: number }): number {
  if (errorCount === 0 || callCount === 0) return 0;
  const share = Math.min(TINT_FULL_SHARE, Math.max(TINT_LEAST_SHARE, errorCount / callCount));
  const along = Math.log(share / TINT_LEAST_SHARE) / Math.log(TINT_FULL_SHARE / TINT_LEAST_SHARE);
  return TINT_LEAST + (1 - TINT_LEAST) * along;
}

/** A triangle at the end of an edge, pointing the way the edge goes; edges enter level. */
export function arrowPath(points: readonly { readonly x: number; readonly y: number }[], strokeWidth: number): string {
  const tip = points.at(-1);
  const before = points.at(-2);
  if (tip === undefined || before === undefined) return "";
  const back = tip.x >= before.x ? -1 : 1;
  const half = 3 + strokeWidth / 2;
  return `M${tip.x},${tip.y}l${back * (5 + strokeWidth)},${-half}v${2 * half}Z`;
}

/** An SVG path through the points of a layout, rounded at the bends. */
export function edgePath(points: readonly { readonly x: number; readonly y: number }[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  const text = (value: number): string => `${Math.round(value * 10) / 10}`;
  let path = `M${text(first.x)},${text(first.y)}`;
  let from = first;
  for (const to of rest) {
    // Layers go left to right, so an edge leaves and enters level.
    const middle = (from.x + to.x) / 2;
    path += `C${text(middle)},${text(from.y)} ${text(middle)},${text(to.y)} ${text(to.x)},${text(to.y)}`;
    from = to;
  }
  return path;
}

/** `text`, or its beginning with "…" where it is wider than `widthMax` by the given measure. */
export function fitText(text: string, widthMax: number, measure: (text: string) => number): string {
  if (measure(text) <= widthMax) return text;
  const characters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  let low = 0;
  let high = characters.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(`${characters.slice(0, middle).join("")}…`) <= widthMax) low = middle;
    else high = middle - 1;
  }
  return `${characters.slice(0, low).join("")}…`;
}
