/**
 * Numbers and durations as people read them. A duration is written in the largest unit that it fills, so 0.4 ms reads "400 µs" and
 * nothing that is not zero is ever written as zero.
 */
type Nano = number | bigint | string;

const SMALL_UNITS: readonly (readonly [nano: number, unit: string])[] = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
  [1, "ns"],
];

/** Three significant digits, without an exponent and without trailing zeros after the point. */
function significant(value: number, digits = 3): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(digits));
  const whole = Math.floor(Math.log10(Math.abs(rounded))) + 1;
  return rounded
    .toFixed(Math.max(0, Math.min(20, digits - whole)))
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

function pair(value: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const total = Math.round(value / small);
  const per = Math.round(large / small);
  const rest = total % per;
  const head = `${Math.floor(total / per)} ${largeUnit}`;
  return rest === 0 ? head : `${head} ${rest} ${smallUnit}`;
}

/** `0 s`, `850 ns`, `12.3 µs`, `400 µs`, `1.23 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h`. Takes nanoseconds. */
export function formatDuration(nano: Nano): string {
  const value = Number(nano);
  if (value < 0) return `−${formatDuration(-value)}`;
  if (value === 0) return "0 s";
  if (value >= 86_400e9 - 30 * 60e9) return pair(value, 86_400e9, "d", 3600e9, "h");
  if (value >= 3600e9 - 30e9) return pair(value, 3600e9, "h", 60e9, "min");
  if (value >= 59.95e9) return pair(value, 60e9, "min", 1e9, "s");
  for (const [size, unit] of SMALL_UNITS) {
    // 999.6 ms rounds to three digits as 1 s, so the unit is chosen by what it rounds to.
    if (value >= size * 0.9995 || unit === "ns") return `${significant(value / size)} ${unit}`;
  }
  return `${significant(value)} ns`;
}

/** Every digit, for tooltips: `1,234,567 ns`. */
export function formatDurationExact(nano: Nano): string {
  return `${groupDigits(BigInt(typeof nano === "number" ? Math.round(nano) : nano).toString())} ns`;
}

function groupDigits(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Every digit with separators: `1,234,567`. */
export function formatCount(count: number): string {
  return groupDigits(Math.round(count).toString());
}

/** Short: `987`, `12.3k`, `4.56M`. */
export function formatCountShort(count: number): string {
  if (Math.abs(count) < 1000) return formatCount(count);
  for (const [size, unit] of [
    [1e3, "k"],
    [1e6, "M"],
    [1e9, "G"],
  ] as const) {
    if (Math.abs(count) < size * 999.5) return `${significant(count / size)}${unit}`;
  }
  return `${significant(count / 1e12)}T`;
}

/** A share of 1 as percent: `0%`, `<0.01%`, `0.25%`, `12.3%`, `100%`; neither end is reached by rounding. */
export function formatPercent(share: number, digits = 3): string {
  const percent = share * 100;
  if (percent === 0) return "0%";
  if (percent > 0 && percent < 0.01) return "<0.01%";
  if (percent < 100 && percent > 99.9) return ">99.9%";
  return `${significant(percent, digits)}%`;
}

/** A rate in the largest of per second, minute, hour in which it is 1 or more: `12.3/s`, `4/min`, `0.5/h`. */
export function formatRate(count: number, seconds: number): string {
  const perSecond = count / seconds;
  if (count === 0) return "0/s";
  if (perSecond >= 0.9995) return `${formatRateValue(perSecond)}/s`;
  if (perSecond * 60 >= 0.9995) return `${significant(perSecond * 60)}/min`;
  return `${significant(perSecond * 3600)}/h`;
}

function formatRateValue(value: number): string {
  return value < 1000 ? significant(value) : formatCountShort(value);
}

/** `512 B`, `1.5 KiB`, `3.2 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1023.5) return `${significant(value)} ${unit}`;
    value /= 1024;
  }
  return `${significant(value)} TiB`;
}

/** The change from one value to another: `+12%`, `−3.4%`, `×2.5`; null where there is nothing to compare with. */
export function formatChange(current: number | null, previous: number | null): string | null {
  if (current === null || previous === null || previous === 0) return null;
  const ratio = current / previous;
  if (ratio >= 2) return `×${significant(ratio, 2)}`;
  const percent = (ratio - 1) * 100;
  if (Math.abs(percent) < 0.5) return "±0%";
  return `${percent > 0 ? "+" : "−"}${significant(Math.abs(percent), 2)}%`;
}
