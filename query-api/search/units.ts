/** Durations and times as people write them. Pure; used by the query language and by the parameters of the REST API. */
import {
  NANO_PER_MICRO,
  NANO_PER_MILLI,
  NANO_PER_SECOND,
  UNIX_NANO_MAX,
  unixNano,
  type UnixNano,
} from "@callchain/schemas/span/time.ts";

const UNIT_NANO: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", NANO_PER_MICRO],
  ["µs", NANO_PER_MICRO],
  ["μs", NANO_PER_MICRO],
  ["ms", NANO_PER_MILLI],
  ["s", NANO_PER_SECOND],
  ["m", 60n * NANO_PER_SECOND],
  ["h", 3600n * NANO_PER_SECOND],
  ["d", 86_400n * NANO_PER_SECOND],
  ["w", 604_800n * NANO_PER_SECOND],
]);

const DURATION_PART = /(\d{1,19})(?:\.(\d{1,18}))?(ns|us|µs|μs|ms|s|m|h|d|w)/y;

export const DURATION_ACCEPTED = "a duration with its unit, e.g. 250ms, 1.5s or 1m30s (ns, us, ms, s, m, h, d, w)";
export const TIME_ACCEPTED =
  "a time: RFC 3339 (2026-01-31T12:00:00Z), Unix nanoseconds (or micro-, milliseconds or seconds, by magnitude), now, or relative to now (now-1h)";

/** `250ms`, `1.5s`, `1m30s` in nanoseconds, rounded down; undefined where the text is none or is beyond 292 years. */
export function parseDuration(text: string): bigint | undefined {
  let total = 0n;
  let at = 0;
  while (at < text.length) {
    DURATION_PART.lastIndex = at;
    const match = DURATION_PART.exec(text);
    const unit = UNIT_NANO.get(match?.[3] ?? "");
    if (match === null || unit === undefined) return undefined;
    const fraction = match[2] ?? "";
    total += BigInt(match[1] ?? "0") * unit + (BigInt(fraction === "" ? "0" : fraction) * unit) / 10n ** BigInt(fraction.length);
    at = DURATION_PART.lastIndex;
  }
  return at === 0 || total > UNIX_NANO_MAX ? undefined : total;
}

const FORMAT_UNITS = ["h", "m", "s", "ms", "us", "ns"] as const;

/** The shortest exact spelling with one unit: 1500000000n is `1500ms`; 0n is `0s`. */
export function formatDuration(nano: bigint): string {
  if (nano === 0n) return "0s";
  for (const unit of FORMAT_UNITS) {
    const size = UNIT_NANO.get(unit) ?? 1n;
    if (nano % size === 0n) return `${nano / size}${unit}`;
  }
  return `${nano}ns`;
}

const RELATIVE = /^now(?:([+-])(\S+))?$/;
const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?(?:[Zz]|([+\- ])(\d{2}):(\d{2}))$/;
const NUMBER = /^(\d{1,19})(?:\.(\d{1,9}))?$/;

/**
 * An instant from 1970 to 2262, or undefined. `now` stands for the instant given. A `+` that a URL decoder turned into a blank is
 * understood in RFC 3339 offsets.
 */
export function parseTime(text: string, now: UnixNano): UnixNano | undefined {
  const nano = parseRelative(text, now) ?? parseRfc3339(text) ?? parseUnix(text);
  return nano === undefined || nano < 0n || nano > UNIX_NANO_MAX ? undefined : unixNano(nano);
}

function parseRelative(text: string, now: UnixNano): bigint | undefined {
  const match = RELATIVE.exec(text);
  if (match === null) return undefined;
  if (match[2] === undefined) return now;
  const offset = parseDuration(match[2]);
  if (offset === undefined) return undefined;
  return match[1] === "-" ? now - offset : now + offset;
}

function parseRfc3339(text: string): bigint | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal) return undefined;
  const offsetMinutes = Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0);
  const utcMs = date.getTime() - (match[8] === "-" ? -1 : 1) * offsetMinutes * 60_000;
  return BigInt(utcMs) * NANO_PER_MILLI + BigInt((match[7] ?? "").padEnd(9, "0"));
}

/** Seconds below 10^11 (year 5138), milliseconds below 10^14, microseconds below 10^17, nanoseconds above. */
function parseUnix(text: string): bigint | undefined {
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const whole = BigInt(match[1] ?? "0");
  const unit =
    whole < 10n ** 11n ? NANO_PER_SECOND : whole < 10n ** 14n ? NANO_PER_MILLI : whole < 10n ** 17n ? NANO_PER_MICRO : 1n;
  const fraction = match[2] ?? "";
  return whole * unit + (BigInt(fraction === "" ? "0" : fraction) * unit) / 10n ** BigInt(fraction.length);
}
