/** What the command palette offers for a text: entries whose words are all found, the best first. */

export interface PaletteEntry {
  readonly id: string;
  readonly group: "trace" | "page" | "service" | "recent" | "search" | "toggle";
  readonly text: string;
  /** Where it goes; null for a command. */
  readonly href: string | null;
  readonly run: (() => void) | null;
}

/** Entries that are shown of one group while nothing narrows them. */
const GROUP_MAX = 8;

/** A trace id as people paste it: 1 to 32 hex digits, perhaps in capitals; long enough to be no word. */
export function traceIdOf(text: string): string | null {
  const id = text.trim().toLowerCase();
  return /^[0-9a-f]{15,32}$/.test(id) ? id.padStart(32, "0") : null;
}

/** 0: no match; larger is better. Every word must be found; the start of the text and of a word count for more. */
export function matchScore(text: string, typed: string): number {
  const within = text.toLocaleLowerCase();
  let score = 1;
  for (const word of typed
    .toLocaleLowerCase()
    .split(/\s+/)
    .filter((part) => part !== "")) {
    const at = within.indexOf(word);
    if (at === -1) return 0;
    score += at === 0 ? 4 : /[^\p{L}\p{N}]/u.test(within.charAt(at - 1)) ? 2 : 1;
  }
  return score;
}

/** Groups stay together in the order in which they come; within one the best match is first. */
export function rankEntries(entries: readonly PaletteEntry[], typed: string): PaletteEntry[] {
  const byGroup = Map.groupBy(
    entries.map((entry) => ({
      entry,
      score: entry.group === "trace" || entry.group === "search" ? 1 : matchScore(entry.text, typed),
    })),
    ({ entry }) => entry.group,
  );
  return [...byGroup.values()].flatMap((group) =>
    group
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, GROUP_MAX)
      .map(({ entry }) => entry),
  );
}
