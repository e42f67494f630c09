/**
 * Cursors of the trace search: base64url of JSON, opaque to callers. A cursor carries its answer's time range, so that `now-1h` means the
 * same on every page, and a digest of its query, so that it cannot be taken to another.
 */
import { createHash } from "node:crypto";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { z } from "zod";
import type { TimeRange } from "../store/range.ts";
import { TRACE_SORTS, type TraceKey, type TraceSort } from "../store/trace-keys.ts";

export interface TraceCursor {
  readonly sort: TraceSort;
  readonly queryDigest: string;
  readonly range: TimeRange;
  readonly after: TraceKey;
}

const UINT63 = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt)
  .refine((value) => value < 2n ** 63n);

const Encoded = z.object({
  s: z.enum(TRACE_SORTS),
  q: z.string().regex(/^[0-9a-f]{16}$/),
  f: UINT63,
  t: UINT63,
  k: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt)
    .refine((value) => value < 2n ** 64n),
  i: z.string().regex(/^[0-9a-f]{32}$/),
});

/** Of the query in TraceQL. */
export function digestQuery(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

export function encodeCursor({ sort, queryDigest, range, after }: TraceCursor): string {
  const encoded: z.input<typeof Encoded> = {
    s: sort,
    q: queryDigest,
    f: range.from.toString(),
    t: range.to.toString(),
    k: after.key.toString(),
    i: after.traceId,
  };
  return Buffer.from(JSON.stringify(encoded)).toString("base64url");
}

/** undefined where the text is no cursor of ours. */
export function decodeCursor(text: string): TraceCursor | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
  const { success, data } = Encoded.safeParse(parsed);
  if (!success || data.f >= data.t || (data.s === "newest" && data.k >= 2n ** 63n)) return undefined;
  return {
    sort: data.s,
    queryDigest: data.q,
    range: { from: unixNano(data.f), to: unixNano(data.t) },
    after: { traceId: data.i, key: data.k },
  };
}
