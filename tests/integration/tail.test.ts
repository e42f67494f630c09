/** The live tail on the running all-in-one: spans are sent as an exporter sends them, and read from the stream of events. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Problem } from "@callchain/schemas/api/common.ts";
import { EventStreamParser, type StreamEvent } from "@callchain/schemas/api/event-stream.ts";
import { TailDropped, TailSpans, type TailSpan } from "@callchain/schemas/api/tail.ts";
import { encodeTraces } from "@callchain/schemas/otlp/export.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { makeTempDir, removeDir, startCallchain, until, type CallchainProcess } from "../support/process.ts";
import { buildSpan, spanIdOf, traceIdOf } from "../support/store-spans.ts";

const dataDir = makeTempDir();
let callchain: CallchainProcess;
before(async () => {
  callchain = await startCallchain(dataDir);
});
after(async () => {
  await callchain.stop();
  removeDir(dataDir);
});

interface Tail {
  readonly events: readonly StreamEvent[];
  readonly lastId: () => string;
  readonly spans: () => TailSpan[];
  readonly leave: () => Promise<void>;
}

const url = (params: Readonly<Record<string, string>>): string =>
  `${callchain.queryUrl}/api/v1/tail?${new URLSearchParams(params).toString()}`;

/** Resolves once the stream is open. */
async function follow(
  params: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Tail> {
  const leaving = new AbortController();
  const response = await fetch(url(params), { headers, signal: leaving.signal });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  const parser = new EventStreamParser();
  const events: StreamEvent[] = [];
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    for await (const piece of response.body ?? []) events.push(...parser.push(decoder.decode(piece, { stream: true })));
  };
  const ended = read().catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error;
  });
  return {
    events,
    lastId: () => events.at(-1)?.id ?? "",
    spans: () => events.filter(({ event }) => event === "spans").flatMap(({ data }) => TailSpans.parse(JSON.parse(data)).spans),
    leave: async () => {
      leaving.abort();
      await ended;
    },
  };
}

let spanCount = 0;
/** Spans of now, each of a trace of its own. */
function buildSpans(name: string, count: number, rest: Partial<Span> = {}): Span[] {
  return Array.from({ length: count }, () => {
    spanCount += 1;
    const startNano = unixNanoFromMs(Date.now());
    return buildSpan({ traceId: traceIdOf(spanCount), spanId: spanIdOf(spanCount), name, startNano, ...rest });
  });
}

/** One request, acknowledged: its spans are stored together. */
async function send(spans: readonly Span[]): Promise<void> {
  const response = await fetch(`${callchain.otlpHttpUrl}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf" },
    body: Buffer.from(encodeTraces(spans)),
  });
  assert.equal(response.status, 200, await response.text());
}

describe("the live tail", () => {
  it("tells matching spans once they are stored, and no others", async () => {
    const all = await follow();
    const failing = await follow({ q: "{ status = error && duration > 1s }" });
    const status = { code: "error", message: "" } as const;
    await send([
      ...buildSpans("quick", 3),
      ...buildSpans("slow", 2, { status, durationNano: 2_000_000_000n, parentSpanId: spanIdOf(999), kind: "server" }),
    ]);
    await until("every span is told", () => all.spans().length === 5 && failing.spans().length === 2);
    assert.deepEqual([...new Set(failing.spans().map(({ name }) => name))], ["slow"]);
    const [slow] = failing.spans();
    assert.deepEqual(
      { ...slow, startNano: "", traceId: "", spanId: "" },
      {
        traceId: "",
        spanId: "",
        root: false,
        service: "shop",
        name: "slow",
        kind: "server",
        status: "error",
        startNano: "",
        durationNano: 2_000_000_000,
      },
    );
    assert.equal(all.spans().filter(({ root }) => root).length, 3);
    await Promise.all([all.leave(), failing.leave()]);
  });

  it("resumes where it was left: what came between is told, what was told is not told again", async () => {
    const first = await follow();
    await send(buildSpans("before", 2));
    await until("the first spans are told", () => first.spans().length === 2);
    const id = first.lastId();
    assert.match(id, /^0:\d+$/);
    await first.leave();
    await send(buildSpans("between", 3));
    const second = await follow({}, { "last-event-id": id });
    await send(buildSpans("after", 1));
    await until("the rest is told", () => second.spans().length >= 4);
    assert.deepEqual(
      second
        .spans()
        .map(({ name }) => name)
        .toSorted(),
      ["after", "between", "between", "between"],
    );
    await second.leave();
  });

  it("sends no more than the rate, and counts what it leaves out", async () => {
    const tail = await follow({ rate: "1", q: '{ name = "flood" }' });
    await send(buildSpans("flood", 2_000));
    const dropped = (): TailDropped[] =>
      tail.events.filter(({ event }) => event === "dropped").map(({ data }) => TailDropped.parse(JSON.parse(data)));
    await until("all are told or counted", () => {
      const count = dropped().reduce((sum, event) => sum + (event.count ?? 0), 0);
      return tail.spans().length + count === 2_000;
    });
    assert.ok(tail.spans().length < 1_000, `${tail.spans().length} spans were sent at a rate of 1 a second`);
    assert.match(dropped()[0]?.reason ?? "", /higher rate/);
    await tail.leave();
  });

  it("refuses what it cannot read, in words", async () => {
    const cases: readonly (readonly [Readonly<Record<string, string>>, Readonly<Record<string, string>>, string])[] = [
      [{ q: "{ duration > }" }, {}, "q"],
      [{ rate: "0" }, {}, "rate"],
      [{ speed: "9" }, {}, "speed"],
      [{}, { "last-event-id": "0:1; DROP TABLE spans" }, "Last-Event-ID"],
      [{}, { "last-event-id": "0:99999999999999999999" }, "Last-Event-ID"],
    ];
    for (const [params, headers, parameter] of cases) {
      const response = await fetch(url(params), { headers });
      assert.equal(response.status, 400);
      assert.deepEqual(
        Problem.parse(await response.json()).errors?.map((error) => error.parameter),
        [parameter],
      );
    }
  });

  it("takes a bounded number at once, and another when one has left", async () => {
    const tails: Tail[] = [];
    for (let count = 0; count < 16; count += 1) tails.push(await follow());
    const refused = await fetch(url({}));
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
    assert.match(Problem.parse(await refused.json()).detail, /16 live tails run already/);
    await tails.pop()?.leave();
    await until("there is room again", async () => {
      const leaving = new AbortController();
      const { status } = await fetch(url({}), { signal: leaving.signal });
      leaving.abort();
      return status === 200;
    });
    await Promise.all(tails.map((tail) => tail.leave()));
  });

  it("is ended when the server stops, not cut off", async () => {
    let text: Promise<string> = Promise.resolve("");
    // Those of the test before have left, which the server may yet have to hear.
    await until("there is room", async () => {
      const response = await fetch(url({}));
      text = response.text();
      return response.status === 200;
    });
    assert.equal(await callchain.stop(), 0);
    assert.match(await text, /^: following/);
  });
});
