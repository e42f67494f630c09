/**
 * Times are nanoseconds since the Unix epoch as bigint; in JSON they are decimal strings. Durations are nanoseconds too: bigint
 * where they are exact, number (`...Ms`) where a person or a timer reads them.
 */
export type UnixNano = bigint & { readonly __brand: "UnixNano" };

export const NANO_PER_MICRO = 1_000n;
export const NANO_PER_MILLI = 1_000_000n;
export const NANO_PER_SECOND = 1_000_000_000n;

/** 2262-04-11: the last instant that a signed 64-bit count of nanoseconds (ClickHouse DateTime64(9)) can hold. */
export const UNIX_NANO_MAX = (2n ** 63n - 1n) as UnixNano;

export function unixNano(value: bigint): UnixNano {
  // The one place where a plain bigint becomes a time.
  return value as UnixNano;
}

export function unixNanoFromMs(ms: number): UnixNano {
  return unixNano(BigInt(Math.round(ms)) * NANO_PER_MILLI);
}
