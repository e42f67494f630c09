/** What spans say, on a terminal: nothing that came from outside can steer it. */
import { styleText } from "node:util";

/** Control characters and the marks that turn text around become U+FFFD. */
export function clean(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, "\uFFFD");
}

const UNITS: readonly (readonly [nano: number, unit: string])[] = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
];

/** Three digits that count: `1.23 s`, `45.6 ms`, `789 ns`. */
export function formatNano(nano: number): string {
  for (const [size, unit] of UNITS) {
    const value = nano / size;
    if (value >= 0.9995) return `${value >= 999.5 ? Math.round(value) : Number(value.toPrecision(3))} ${unit}`;
  }
  return `${Math.round(nano)} ns`;
}

/** `2026-01-31 12:00:00.123`, in UTC. */
export function formatInstant(nano: string): string {
  return new Date(Number(BigInt(nano) / 1_000_000n)).toISOString().replace("T", " ").slice(0, -1);
}

export type Style = (style: "red" | "dim" | "bold" | "cyan", text: string) => string;

/** Colours on a terminal that may have them (NO_COLOR, FORCE_COLOR), else the plain text. */
export function styleFor(stream: NodeJS.WriteStream): Style {
  return (style, text) => styleText(style, text, { stream, validateStream: true });
}

/** Columns to the width of their longest cell, the last as it is. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
