import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countEdges, type EdgeSpans } from "./count-edges.ts";

interface Row {
  readonly id: number;
  readonly parent?: number;
  readonly service: string;
  readonly kind: number;
  readonly startMs?: number;
  readonly isError?: boolean;
  readonly peer?: Readonly<Record<string, string>>;
  readonly isOld?: boolean;
  readonly links?: readonly number[];
}

const [SERVER, CLIENT, PRODUCER, CONSUMER] = [2, 3, 4, 5];

/** Of 1 ms each, old ones first. */
function columnsOf(rows: readonly Row[]): EdgeSpans {
  const services = [...new Set(rows.map(({ service }) => service))];
  const peerTexts = rows.map(({ peer }) => JSON.stringify(peer ?? {}));
  const linked = rows.map(({ links = [] }) => links);
  return {
    count: rows.length,
    ids: Uint32Array.from(rows.flatMap(({ id }) => [id, 1])),
    parents: Uint32Array.from(rows.flatMap(({ parent }) => (parent === undefined ? [0, 0] : [parent, 1]))),
    traceIds: new Uint8Array(rows.length * 16).fill(7),
    services,
    service: Uint32Array.from(rows, ({ service }) => services.indexOf(service)),
    kind: Uint8Array.from(rows, ({ kind }) => kind),
    status: Uint8Array.from(rows, ({ isError }) => (isError === true ? 2 : 0)),
    startMs: Float64Array.from(rows, ({ startMs = 0 }) => startMs),
    durationNano: Float64Array.from(rows, () => 1_000_000),
    bucket: Uint16Array.from(rows, () => 637),
    peerTexts,
    peer: Uint32Array.from(rows, (_, at) => at),
    isFresh: Uint8Array.from(rows, ({ isOld }) => (isOld === true ? 0 : 1)),
    isWanted: Uint8Array.from(rows, () => 1),
    linkEnds: Uint32Array.from(rows, (_, at) => linked.slice(0, at + 1).flat().length),
    linkedIds: Uint32Array.from(linked.flat().flatMap((id) => [id, 1])),
    linkedTraceIds: new Uint8Array(linked.flat().length * 16).fill(7),
  };
}

async function count(rows: readonly Row[]): Promise<string[]> {
  const counts = await countEdges(columnsOf(rows));
  return counts
    .flatMap(({ edge, minute, isError, durations }) =>
      [...durations.values()].map((n) => `${edge.role} ${edge.caller}>${edge.callee} ${minute}${isError ? " failed" : ""} ${n}`),
    )
    .toSorted();
}

const web: Row = { id: 1, service: "web", kind: CLIENT, peer: { "peer.service": "cart" } };
const cart: Row = { id: 2, parent: 1, service: "cart", kind: SERVER, startMs: 59_000 };

describe("counting edges", () => {
  it("counts a call in the step in which the later of its spans is, whichever that is", async () => {
    assert.deepEqual(await count([web, cart]), ["call web>cart 0 1"]);
    assert.deepEqual(await count([web]), ["named web>cart 0 1"]);
    assert.deepEqual(await count([{ ...web, isOld: true }, cart]), ["call web>cart 0 1", "named web>cart 0 -1"]);
    assert.deepEqual(await count([cart]), []);
    assert.deepEqual(await count([{ ...cart, isOld: true }, web]), ["call web>cart 0 1"]);
    assert.deepEqual(
      await count([
        { ...web, isOld: true },
        { ...cart, isOld: true },
      ]),
      [],
    );
  });

  it("takes a peer back once, however many answers come", async () => {
    const again = { ...cart, id: 3 };
    assert.deepEqual(await count([{ ...web, isOld: true }, cart, again]), ["call web>cart 0 2", "named web>cart 0 -1"]);
    assert.deepEqual(await count([{ ...web, isOld: true }, { ...cart, isOld: true }, again]), ["call web>cart 0 1"]);
  });

  it("counts what was sent twice once, in one step or two", async () => {
    assert.deepEqual(await count([web, web, cart, cart]), ["call web>cart 0 1"]);
    assert.deepEqual(await count([{ ...web, isOld: true }, { ...cart, isOld: true }, web, cart]), []);
  });

  it("keeps spans apart that began too far from each other", async () => {
    assert.deepEqual(await count([web, { ...cart, startMs: 60_001 }]), ["call web>cart 1 1"]);
    assert.deepEqual(await count([web, { ...cart, startMs: 60_002 }]), ["named web>cart 0 1"]);
    assert.deepEqual(
      await count([
        { ...web, startMs: 60_001 },
        { ...cart, startMs: 0 },
      ]),
      ["named web>cart 1 1"],
    );
  });

  it("takes the topic of a message from whoever names it", async () => {
    const sender: Row = { id: 1, service: "cart", kind: PRODUCER, peer: { "messaging.destination.name": "paid" } };
    const mail: Row = { id: 2, parent: 1, service: "mail", kind: CONSUMER, startMs: 120_000, isError: true };
    assert.deepEqual(await count([sender, mail]), ["consume paid>mail 2 failed 1", "publish cart>paid 0 1"]);
    assert.deepEqual(await count([{ ...mail, isOld: true }, sender]), ["consume paid>mail 2 failed 1", "publish cart>paid 0 1"]);
    const batch: Row = { id: 3, service: "ship", kind: 1, links: [1, 9] };
    assert.deepEqual(await count([{ ...sender, isOld: true }, batch]), ["consume paid>ship 0 1"]);
    const silent: Row = { ...sender, peer: {} };
    assert.deepEqual(await count([silent, mail]), ["handover cart>mail 2 failed 1"]);
  });
});
