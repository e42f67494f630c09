/** What a bench hands on: runs as JSON, and one Markdown table of medians with their spread. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** The median of an even count is the mean of the two in the middle. Not for an empty list. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new Error("no values to take a median of");
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? max;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper);
  return { median: (lower + upper) / 2, min, max, count: sorted.length };
}

/** The value below which this share of the values lies. Not for an empty list. */
export function percentileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new Error("no values to take a percentile of");
  return value;
}

export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/** "8.2 (7.9-8.4)"; a single value stands alone, none is a dash. */
export function formatSpread(values: readonly number[], digits = 0): string {
  if (values.length === 0) return "-";
  const { median, min, max, count } = spreadOf(values);
  const text = formatNumber(median, digits);
  return count === 1 ? text : `${text} (${formatNumber(min, digits)}-${formatNumber(max, digits)})`;
}

/** How many times the baseline: "3.1 x"; a dash where one of them is absent or the baseline is 0. */
export function formatRatio(value: number | undefined, baseline: number | undefined): string {
  if (value === undefined || baseline === undefined || baseline === 0) return "-";
  const ratio = value / baseline;
  return `${formatNumber(ratio, ratio < 10 ? 2 : 0)} x`;
}

export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Groups in the order of their first member. */
export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}

export function describeMachine(): string {
  const model = cpus()[0]?.model ?? "an unnamed processor";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores of ${model}, ${memory} GiB, Linux ${release()}, Node ${process.version}`;
}

/**
 * Adds runs to the directory's `NAME.json` (with `isAppended`; otherwise it begins anew) and writes `NAME.md` over all of them.
 * Runs of an older shape in the file are an error.
 */
export function writeReport<Run>(options: {
  readonly dir: string;
  readonly name: string;
  readonly isAppended: boolean;
  readonly run: z.ZodType<Run>;
  readonly runs: readonly Run[];
  readonly toMarkdown: (runs: readonly Run[]) => string;
}): string {
  const { dir, name, runs, toMarkdown } = options;
  mkdirSync(dir, { recursive: true });
  const path = join(dir, `${name}.json`);
  const shape = z.object({ machine: z.string(), runs: z.array(options.run) });
  const before = options.isAppended && existsSync(path) ? shape.parse(JSON.parse(readFileSync(path, "utf8"))).runs : [];
  const all = [...before, ...runs];
  writeFileSync(path, `${JSON.stringify({ machine: describeMachine(), runs: all }, null, 1)}\n`);
  const text = `${describeMachine()}\n\n${toMarkdown(all)}\n`;
  writeFileSync(join(dir, `${name}.md`), text);
  return text;
}
