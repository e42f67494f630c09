/** What can be said of a regular expression (RE2) from its text. Pure. */

/** The literal text of `.*text.*`, which a plain search answers; `.` does not match a line break, so texts with one differ harmlessly. */
export function containedText(pattern: string): string | undefined {
  const inner = /^\.\*((?:[^\\^$.*+?()[\]{}|]|\\[\\^$.*+?()[\]{}|/-])+)\.\*$/s.exec(pattern)?.[1];
  return inner?.replace(/\\(.)/gs, "$1");
}

/** How much may follow what repeats without end. Each such place can double the states that RE2 has to tell apart. */
const CHOICES_MAX = 6;
const REPEATS_MAX = 3;

/**
 * RE2 reads hundreds of MB a second as long as it can keep the states of its automaton (8 MB), and 2 MB a second where they are too many:
 * `[ab]*a[ab]{20}`, or the same written out. That takes counted repetition, or something that repeats without end beside many classes,
 * dots and alternatives. May say so of what is fast.
 */
export function mayBeSlow(pattern: string): boolean {
  const plain = pattern.replace(/\\[^wWdDsSpPbB]/gs, "");
  if (/\{\d/.test(plain)) return true;
  const repeatCount = plain.match(/[*+]/g)?.length ?? 0;
  const choiceCount = plain.match(/\[|\.|\||\\/g)?.length ?? 0;
  return repeatCount > REPEATS_MAX || (repeatCount > 0 && choiceCount > CHOICES_MAX);
}
