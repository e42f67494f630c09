import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DependenciesAnswer, type DependencyGraph } from "@callchain/schemas/api/catalog.ts";
import * as fc from "fast-check";
import { buildReferenceEdges } from "../support/dependencies-reference.ts";
import { buildSpans, comparableEdges, edgeSeed, sortEdges } from "../support/edge-seeds.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, traceIdOf, type SpanSeed } from "../support/span-rows.ts";

const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
const DAY = 86_400n * SECOND;
const MILLI = 1_000_000n;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
});
after(() => stack.stop());

/** Every question gets a day of its own in the one store. */
let day = 10_000n * DAY;
function takeDay(): bigint {
  day += DAY;
  return day;
}

async function askGraph(
  from: bigint,
  to: bigint,
  more: Record<string, string | number | bigint> = {},
): Promise<DependenciesAnswer> {
  const reply = await stack.ask("/dependencies", { from, to, ...more });
  assert.equal(reply.status, 200, JSON.stringify(reply.body));
  return DependenciesAnswer.parse(reply.body);
}

const NO_ROOTS = { namespace: null, serverRootCount: 0, otherRootCount: 0 };

function shortEdges(answer: DependencyGraph): string[] {
  return answer.edges
    .map((edge) => `${edge.caller} -${edge.kind} ${edge.callCount}/${edge.errorCount}-> ${edge.callee}`)
    .toSorted();
}

describe("GET /dependencies", () => {
  /** web -> cart -> (postgres orders, redis) and -> bank (no spans); cart -> [paid] -> mail, ship by link; cart's own internal call. */
  const shop = (t: bigint): SpanSeed[] => [
    { trace: "a", id: "1", service: "web", kind: "server", startNano: t, durationNano: 90n * MILLI },
    { trace: "a", id: "2", parent: "1", service: "web", kind: "client", startNano: t + 1n, durationNano: 80n * MILLI },
    { trace: "a", id: "3", parent: "2", service: "cart", kind: "server", startNano: t + 2n, durationNano: 70n * MILLI },
    {
      trace: "a",
      id: "4",
      parent: "3",
      service: "cart",
      kind: "client",
      startNano: t + 3n,
      text: { "db.system.name": "postgresql", "db.namespace": "orders" },
    },
    {
      trace: "a",
      id: "5",
      parent: "3",
      service: "cart",
      kind: "client",
      startNano: t + 3n,
      text: { "db.system": "redis", "db.namespace": "0", "server.address": "cache" },
    },
    {
      trace: "a",
      id: "6",
      parent: "3",
      service: "cart",
      kind: "client",
      startNano: t + 3n,
      isError: true,
      text: { "url.full": "https://user:pass@bank.example:8443/pay?card=4111" },
    },
    {
      trace: "a",
      id: "7",
      parent: "3",
      service: "cart",
      kind: "producer",
      startNano: t + 3n,
      text: { "messaging.system": "kafka", "messaging.destination.name": "paid" },
    },
    {
      trace: "a",
      id: "8",
      parent: "7",
      service: "mail",
      kind: "consumer",
      startNano: t + 9n,
      text: { "messaging.system": "kafka", "messaging.destination.name": "paid" },
    },
    { trace: "b", id: "1", service: "ship", kind: "consumer", startNano: t + MINUTE - 1n, links: [{ trace: "a", id: "7" }] },
    { trace: "a", id: "9", parent: "3", service: "cart", kind: "internal", startNano: t + 3n },
    { trace: "c", id: "1", service: "web", kind: "server", startNano: t, durationNano: 50n * MILLI },
    { trace: "c", id: "2", parent: "1", service: "web", kind: "client", startNano: t + 1n, isError: true },
    {
      trace: "c",
      id: "3",
      parent: "2",
      service: "cart",
      kind: "server",
      startNano: t + 2n,
      durationNano: 30n * MILLI,
      isError: true,
    },
  ];
  const shopEdges = [
    "messaging:paid -consume 1/0-> service:mail",
    "messaging:paid -consume 1/0-> service:ship",
    "service:cart -database 1/0-> database:cache",
    "service:cart -database 1/0-> database:orders",
    "service:cart -external 1/1-> external:bank.example",
    "service:cart -publish 1/0-> messaging:paid",
    "service:web -call 2/1-> service:cart",
  ];

  it("draws calls, databases, topics and peers without spans, each call once", async () => {
    const t = takeDay();
    await insertSpans(stack.writer, shop(t));
    const answer = await askGraph(t, t + MINUTE);
    assert.deepEqual(shortEdges(answer), shopEdges);
    const call = answer.edges.find((edge) => edge.kind === "call");
    // The middle of their bucket.
    assert.deepEqual([call?.p50Nano, call?.p95Nano], [70_254_592, 70_254_592]);
    assert.deepEqual(call?.exampleTraceIds, [traceIdOf("a"), traceIdOf("c")], "the slowest, then the slowest that failed");
    assert.deepEqual(
      answer.nodes.find((node) => node.id === "service:cart"),
      { id: "service:cart", name: "cart", kind: "service", spanCount: 7, errorCount: 2, ...NO_ROOTS },
    );
    assert.deepEqual(
      answer.nodes.find((node) => node.id === "external:bank.example"),
      { id: "external:bank.example", name: "bank.example", kind: "external", spanCount: 1, errorCount: 1, ...NO_ROOTS },
    );
    assert.equal(JSON.stringify(answer).includes("4111"), false, "nothing of a URL but its host");
    assert.equal(answer.scan.partial, false);
  });

  it("tells which services begin traces, by what kind of span, and their namespaces", async () => {
    const t = takeDay();
    const spans: SpanSeed[] = [
      { trace: "a", id: "1", service: "web", kind: "internal", startNano: t, resource: { "service.namespace": "shop" } },
      { trace: "b", id: "1", service: "api", kind: "server", startNano: t, resource: { "k8s.namespace.name": "edge" } },
      {
        trace: "b",
        id: "2",
        parent: "1",
        service: "api",
        kind: "client",
        startNano: t,
        resource: { "k8s.namespace.name": "edge" },
      },
      { trace: "c", id: "1", service: "mail", kind: "consumer", startNano: t },
    ];
    await insertSpans(stack.writer, spans);
    const { nodes } = await askGraph(t, t + MINUTE);
    const told = nodes
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((node) => [node.name, node.namespace, node.serverRootCount, node.otherRootCount]);
    assert.deepEqual(told, [
      ["api", "edge", 1, 0],
      ["mail", null, 0, 0],
      ["web", "shop", 0, 1],
    ]);
  });

  it("counts spans that were exported twice once, in any order of arrival and over several inserts", async () => {
    const t = takeDay();
    const spans = shop(t);
    for (const span of spans.toReversed()) await insertSpans(stack.writer, [span]);
    await insertSpans(stack.writer, [...spans, ...spans]);
    assert.deepEqual(shortEdges(await askGraph(t, t + MINUTE)), shopEdges);
  });

  it("joins a child to a parent that began before the range, and counts the call where the child began", async () => {
    const t = takeDay();
    await insertSpans(stack.writer, [
      { trace: "a", id: "1", service: "batch", kind: "client", startNano: t - 50n * MINUTE, durationNano: 60n * MINUTE },
      { trace: "a", id: "2", parent: "1", service: "store", kind: "server", startNano: t + 1n },
      // The clock of the callee is 30 s behind: it began "before" its caller.
      {
        trace: "b",
        id: "1",
        service: "web",
        kind: "client",
        startNano: t + MINUTE + 20n * SECOND,
        text: { "server.address": "store:80" },
      },
      { trace: "b", id: "2", parent: "1", service: "store", kind: "server", startNano: t + MINUTE - 10n * SECOND },
    ]);
    assert.deepEqual(shortEdges(await askGraph(t, t + MINUTE)), [
      "service:batch -call 1/0-> service:store",
      "service:web -call 1/0-> service:store",
    ]);
    assert.deepEqual(shortEdges(await askGraph(t + MINUTE, t + 2n * MINUTE)), []);
  });

  it("tells databases of one name apart by their systems, and takes a lost answer of a known service for a call", async () => {
    const t = takeDay();
    await insertSpans(stack.writer, [
      { trace: "a", id: "1", service: "web", kind: "client", startNano: t, text: { "db.system": "mysql", "db.name": "main" } },
      { trace: "a", id: "2", service: "web", kind: "client", startNano: t, text: { "db.system": "mongodb", "db.name": "main" } },
      { trace: "a", id: "3", service: "web", kind: "client", startNano: t, text: { "peer.service": "cart" } },
      { trace: "b", id: "1", service: "cart", kind: "server", startNano: t },
    ]);
    assert.deepEqual(shortEdges(await askGraph(t, t + MINUTE)), [
      "service:web -call 1/0-> service:cart",
      "service:web -database 1/0-> database:main (mongodb)",
      "service:web -database 1/0-> database:main (mysql)",
    ]);
  });

  it("shows what lies so many calls up and down from the focus", async () => {
    const t = takeDay();
    await insertSpans(stack.writer, shop(t));
    const near = await askGraph(t, t + MINUTE, { focus: "mail" });
    assert.deepEqual(shortEdges(near), ["messaging:paid -consume 1/0-> service:mail"]);
    const far = await askGraph(t, t + MINUTE, { focus: "service:mail", depth: 3 });
    assert.deepEqual(far.nodes.map((node) => node.name).toSorted(), ["cart", "mail", "paid", "web"]);
    const nobody = await askGraph(t, t + MINUTE, { focus: "nobody" });
    assert.deepEqual([nobody.nodes, nobody.edges], [[], []]);
  });

  it("shows another range beside it, and of both what lies near the focus in either", async () => {
    const t = takeDay();
    await insertSpans(stack.writer, shop(t));
    const before = t - MINUTE;
    await insertSpans(stack.writer, [
      { trace: "d", id: "1", service: "web", kind: "client", startNano: before },
      { trace: "d", id: "2", parent: "1", service: "cart", kind: "server", startNano: before, isError: true },
      { trace: "e", id: "1", service: "old", kind: "client", startNano: before },
      { trace: "e", id: "2", parent: "1", service: "web", kind: "server", startNano: before },
    ]);
    const answer = await askGraph(t, t + MINUTE, { compareFrom: before, compareTo: t });
    assert.deepEqual(shortEdges(answer), shopEdges);
    assert.ok(answer.comparison !== null);
    assert.deepEqual(shortEdges(answer.comparison), [
      "service:old -call 1/0-> service:web",
      "service:web -call 1/1-> service:cart",
    ]);
    assert.deepEqual([answer.comparison.fromNano, answer.comparison.toNano], [before.toString(), t.toString()]);
    const near = await askGraph(t, t + MINUTE, { compareFrom: before, compareTo: t, focus: "web" });
    assert.deepEqual(near.nodes.map((node) => node.name).toSorted(), ["cart", "web"]);
    assert.deepEqual(near.comparison?.nodes.map((node) => node.name).toSorted(), ["cart", "old", "web"]);
    assert.equal((await askGraph(t, t + MINUTE)).comparison, null);
    for (const params of [{ compareFrom: before }, { compareTo: t }, { compareFrom: t, compareTo: before }]) {
      assert.equal((await stack.ask("/dependencies", { from: t, to: t + MINUTE, ...params })).status, 400);
    }
  });

  it("counts five minutes and more in whole minutes, and says since and until when", async () => {
    const t = takeDay();
    await insertSpans(
      stack.writer,
      [1n, 59n, 361n, 419n, 421n].flatMap((second): SpanSeed[] => [
        { trace: `at ${second}`, id: "1", service: "a", kind: "client", startNano: t + second * SECOND },
        { trace: `at ${second}`, id: "2", parent: "1", service: "b", kind: "server", startNano: t + second * SECOND },
      ]),
    );
    const ask = async (from: bigint, to: bigint): Promise<unknown> => {
      const { fromNano, toNano, edges } = await askGraph(from, to);
      return [BigInt(fromNano), BigInt(toNano), edges.reduce((sum, { callCount }) => sum + callCount, 0)];
    };
    assert.deepEqual(await ask(t + 30n * SECOND, t + 390n * SECOND), [t, t + 7n * MINUTE, 4]);
    assert.deepEqual(await ask(t + 30n * SECOND, t + 300n * SECOND), [t + 30n * SECOND, t + 300n * SECOND, 1]);
    // What has not come to pass yet is not said to be counted.
    const nowNano = BigInt(Date.now()) * 1_000_000n;
    const { fromNano, toNano } = await askGraph(nowNano - 6n * MINUTE - 1n, nowNano);
    assert.equal(BigInt(fromNano) % MINUTE, 0n);
    assert.ok(BigInt(toNano) >= nowNano && BigInt(toNano) <= BigInt(Date.now()) * 1_000_000n);
  });

  it("agrees with a count in memory on random spans", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edgeSeed, { minLength: 1, maxLength: 60, size: "max" }), async (drawn) => {
        const t = takeDay();
        const spans = buildSpans(drawn, t);
        await insertSpans(stack.writer, spans);
        const answer = await askGraph(t, t + 10n * MINUTE);
        assert.deepEqual(comparableEdges(answer), sortEdges(buildReferenceEdges(spans, t, t + 10n * MINUTE)));
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });
});
