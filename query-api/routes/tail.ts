/**
 * `GET /tail`: matching spans as they become stored, as server-sent events. All that this side knows is the database, so it asks there
 * again and again, where the log stands now and what lies between that and what was sent.
 */
import { setTimeout as delay } from "node:timers/promises";
import { formatEvent } from "@callchain/schemas/api/event-stream.ts";
import { TAIL_MEDIA_TYPE, TailEvent, type TailDropped } from "@callchain/schemas/api/tail.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { buildFilterQuery } from "../search/filters.ts";
import type { Query } from "../search/query.ts";
import type { Asking } from "../store/range.ts";
import {
  advancedPartitions,
  formatPosition,
  parsePosition,
  readStoredPosition,
  readStoredSince,
  type StoredPosition,
} from "../store/tail.ts";
import { spanFilters } from "./filters.ts";
import { queryParam } from "./params.ts";
import { buildProblem, refuseParameter } from "./problem.ts";
import { BytesReply, defineRoute } from "./route.ts";

/** Between two looks; longer where looking takes long, so that a tail takes a fifth of the time at most. */
const INTERVAL_MS = 1_000;
const INTERVAL_PER_LOOK = 4;
/** Proxies take a connection that says nothing for so long for a dead one. */
const HEARTBEAT_MS = 10_000;
/** How long a client waits before it connects again. */
const RECONNECT_MS = 2_000;

export const tailSpans = defineRoute({
  path: "/tail",
  summary: "Matching spans as they become stored: server-sent events, resumed by Last-Event-ID within a day",
  params: {
    ...spanFilters,
    rate: queryParam.wholeNumber(50, 1, 500, "Spans a second at most; what is beyond is counted in `dropped` events"),
  },
  answer: TailEvent,
  answerMediaType: TAIL_MEDIA_TYPE,
  handle: async (params, { database, signal, lastEventId, tails }) => {
    const query = buildFilterQuery(params);
    const resumed = lastEventId === null ? null : parsePosition(lastEventId);
    if (resumed === undefined) throw refuseParameter("Last-Event-ID", lastEventId, "the id of an event of this stream");
    const release = tails.take();
    try {
      const seen = resumed ?? (await readStoredPosition({ database, signal }));
      // Whatever ends the answer before its first bytes are asked for ends the signal.
      signal.throwIfAborted();
      signal.addEventListener("abort", release, { once: true });
      return new BytesReply(TAIL_MEDIA_TYPE, follow({ query, rate: params.rate, seen }, { database, signal }, release));
    } catch (error) {
      release();
      throw error;
    }
  },
});

interface Following {
  readonly query: Query;
  readonly rate: number;
  readonly seen: StoredPosition;
}

/** Ends when the signal aborts: the client has gone, or the server stops. */
async function* follow(following: Following, asking: Asking, release: () => void): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  try {
    yield encoder.encode(`: following\nretry: ${RECONNECT_MS}\nid: ${formatPosition(following.seen)}\n\n`);
    for await (const text of look(following, asking)) yield encoder.encode(text);
  } catch (error) {
    if (!asking.signal.aborted) throw error;
  } finally {
    release();
  }
}

async function* look({ query, rate, seen }: Following, asking: Asking): AsyncGenerator<string> {
  let saidMs = Date.now();
  for (let waitMs = INTERVAL_MS; ;) {
    await delay(waitMs, undefined, { signal: asking.signal });
    const startedMs = performance.now();
    const found = await lookOnce(query, Math.ceil((rate * waitMs) / 1_000), seen, asking);
    waitMs = Math.max(INTERVAL_MS, INTERVAL_PER_LOOK * (performance.now() - startedMs));
    seen = found.seen;
    const isQuiet = found.text === "";
    if (isQuiet && Date.now() - saidMs < HEARTBEAT_MS) continue;
    saidMs = Date.now();
    yield isQuiet ? `: still here\n${formatEvent({ id: formatPosition(seen) })}` : found.text;
  }
}

/** One look; what it says is "" where nothing that matches has come. */
async function lookOnce(
  query: Query,
  limit: number,
  seen: StoredPosition,
  asking: Asking,
): Promise<{ readonly seen: StoredPosition; readonly text: string }> {
  let stored = seen;
  try {
    stored = await readStoredPosition(asking);
    if (advancedPartitions(seen, stored).length === 0) return { seen: stored, text: "" };
    const { spans, droppedCount } = await readStoredSince({ seen, stored, query, limit }, asking);
    const id = formatPosition(stored);
    const reason = `more than ${limit} spans came at once; ask for fewer by a query, or for a higher rate`;
    const text = spans.length === 0 ? "" : formatEvent({ event: "spans", id, data: { spans } });
    return { seen: stored, text: droppedCount === 0 ? text : text + formatDropped({ count: droppedCount, reason }) };
  } catch (error) {
    if (!(error instanceof Failure) || error.code === "internal" || asking.signal.aborted) throw error;
    if (stored !== seen && error.code !== "unavailable") {
      const reason = "looking for what came took too long; narrow the query";
      return { seen: stored, text: formatDropped({ count: null, reason }) };
    }
    return { seen, text: formatEvent({ event: "problem", data: buildProblem(error).body }) };
  }
}

function formatDropped(dropped: TailDropped): string {
  return formatEvent({ event: "dropped", data: dropped });
}
