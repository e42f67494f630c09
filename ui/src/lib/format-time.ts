/** Times of day and dates, in local time or UTC. Nanoseconds come in as decimal strings or bigint and keep the digits asked for. */
export interface TimeStyle {
  readonly utc: boolean;
  /** BCP 47, e.g. "en" or "zh". */
  readonly language: string;
}

/** Digits after the second that are shown. */
export type Fraction = 0 | 3 | 6 | 9;

const pad = (value: number, width = 2): string => value.toString().padStart(width, "0");

interface Parts {
  readonly date: string;
  readonly time: string;
}

function partsOf(nano: bigint | string, fraction: Fraction, utc: boolean): Parts {
  const value = BigInt(nano);
  const ms = Number(value / 1_000_000n);
  const date = new Date(ms);
  const [year, month, day, hour, minute, second] = utc
    ? [
        date.getUTCFullYear(),
        date.getUTCMonth(),
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
      ]
    : [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
  const digits = fraction === 0 ? "" : `.${(value % 1_000_000_000n).toString().padStart(9, "0").slice(0, fraction)}`;
  return {
    date: `${year}-${pad(month + 1)}-${pad(day)}`,
    time: `${pad(hour)}:${pad(minute)}:${pad(second)}${digits}`,
  };
}

/** `2026-01-31 13:45:10.123`: sorts as it reads, the same in every language. */
export function formatTime(nano: bigint | string, style: Pick<TimeStyle, "utc">, fraction: Fraction = 3): string {
  const { date, time } = partsOf(nano, fraction, style.utc);
  return `${date} ${time}`;
}

/** `13:45:10.123`. */
export function formatTimeOfDay(nano: bigint | string, style: Pick<TimeStyle, "utc">, fraction: Fraction = 3): string {
  return partsOf(nano, fraction, style.utc).time;
}

/** The zone that times are shown in: `UTC` or `UTC+08:00`. */
export function formatZone(style: Pick<TimeStyle, "utc">, at: Date = new Date()): string {
  const minutes = style.utc ? 0 : -at.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

const RELATIVE_UNITS: readonly (readonly [seconds: number, unit: Intl.RelativeTimeFormatUnit])[] = [
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** `5 minutes ago`, `5分钟前`. */
export function formatAgo(nano: bigint | string, nowMs: number, language: string): string {
  const seconds = (nowMs - Number(BigInt(nano) / 1_000_000n)) / 1000;
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  for (const [size, unit] of RELATIVE_UNITS) {
    if (Math.abs(seconds) >= size) return format.format(-Math.trunc(seconds / size), unit);
  }
  return format.format(0, "second");
}
