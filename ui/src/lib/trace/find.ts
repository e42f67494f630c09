/** Finding rows: by text, by id, by error. All answers are rows of the whole trace, hidden ones too. */
import type { TraceModel } from "./model.ts";

const HEX_ID_PART = /^[0-9a-f]{4,16}$/;

/**
 * A flag per row, 1 where every word of the text is in the service, the span name, or at the start of the span id. Case does not
 * matter. null where the text has no word.
 */
export function findText(model: TraceModel, text: string): { matches: Uint8Array; count: number } | null {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return null;
  const matches = new Uint8Array(model.rowCount).fill(1);
  for (const word of words) keepMatches(model, word, matches);
  let count = 0;
  for (const match of matches) count += match;
  return { matches, count };
}

/** Each name is compared once, however many spans bear it. */
function keepMatches(model: TraceModel, word: string, matches: Uint8Array): void {
  const inService = model.services.map((service) => service.toLowerCase().includes(word));
  const inName = model.names.map((name) => name.toLowerCase().includes(word));
  const mayBeId = HEX_ID_PART.test(word);
  const { service, name } = model;
  for (let row = 0; row < matches.length; row++) {
    if (inService[service[row] ?? -1] === true || inName[name[row] ?? -1] === true) continue;
    if (mayBeId && startsWithHex(model, row, word)) continue;
    matches[row] = 0;
  }
}

function startsWithHex(model: TraceModel, row: number, hex: string): boolean {
  const first = model.spanId[8 * row] ?? 0;
  if (first !== Number.parseInt(hex.slice(0, 2), 16)) return false;
  return model.spanIdOf(row).startsWith(hex);
}

/** The row of a span id, or of the first digits of one; -1 where it has not arrived. Among copies the first. */
export function findSpan(model: TraceModel, hex: string, from = 0): number {
  if (!HEX_ID_PART.test(hex) || hex.length % 2 === 1) return -1;
  const wanted = Uint8Array.from({ length: hex.length / 2 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));
  const { spanId, rowCount } = model;
  const [first = 0] = wanted;
  for (let row = from; row < rowCount; row++) {
    if (spanId[8 * row] !== first) continue;
    let same = 1;
    while (same < wanted.length && spanId[8 * row + same] === wanted[same]) same++;
    if (same === wanted.length) return row;
  }
  return -1;
}

/** The next row after `from` (before it, going back) for which the test holds, going round; -1 where there is none. */
export function findNext(rowCount: number, from: number, forward: boolean, test: (row: number) => boolean): number {
  const step = forward ? 1 : rowCount - 1;
  let row = from < 0 ? (forward ? rowCount - 1 : 0) : from;
  for (let tries = 0; tries < rowCount; tries++) {
    row = (row + step) % rowCount;
    if (test(row)) return row;
  }
  return -1;
}
