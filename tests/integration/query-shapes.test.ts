/**
 * Every parameter of every route with every hostile text, in process: what is refused names the parameter, what was given and what is
 * accepted; what is accepted becomes the same SQL as harmless texts of its kind do. The statements are recorded instead of asked, and
 * nothing is found; query-hostile.test.ts asks the real engine.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Readable } from "node:stream";
import { NO_RECEIVERS } from "@callchain/query-api/routes/ingest.ts";
import { ParameterError } from "@callchain/query-api/routes/problem.ts";
import { BytesReply, type RouteContext, type RouteDefinition } from "@callchain/query-api/routes/route.ts";
import { Slots } from "@callchain/query-api/routes/slots.ts";
import { routes } from "@callchain/query-api/routes/table.ts";
import { untypedMeanings } from "@callchain/query-api/search/comparison.ts";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { BASE, PAYLOADS } from "../support/hostile-payloads.ts";
import { traceIdOf } from "../support/store-spans.ts";

const NOW = unixNano(1_770_000_000_000_000_000n);
const NO_SCAN = { rows: 0, bytes: 0, elapsedMs: 0 };

/** Answers nothing and keeps the texts. */
function recordingDatabase(statements: string[]): SpanDatabase {
  const refuse = (): Promise<never> => Promise.reject(new Error("a question must not write"));
  return {
    query: (sql) => {
      statements.push(sql);
      return Promise.resolve({ rows: [], scan: NO_SCAN });
    },
    stream: (sql) => {
      statements.push(sql);
      return Promise.resolve(Readable.from([]));
    },
    insert: refuse,
    command: refuse,
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

interface Outcome {
  /** null: it was answered, or nothing was found. */
  readonly refusal: ParameterError | null;
  readonly statements: readonly string[];
}

async function run(route: RouteDefinition, given: ReadonlyMap<string, readonly string[]>): Promise<Outcome> {
  const statements: string[] = [];
  const leaving = new AbortController();
  const context: RouteContext = {
    database: recordingDatabase(statements),
    signal: leaving.signal,
    now: NOW,
    ingest: () => NO_RECEIVERS,
    accepts: (...mediaTypes) => mediaTypes[0] ?? null,
    lastEventId: null,
    tails: new Slots("tails", 1),
    imports: new Slots("imports", 1),
    importer: null,
    callCounter: null,
    upload: { body: Readable.from([]), contentEncoding: null },
    logger: openLog("test", "silent"),
  };
  try {
    const answer = await route.run(given, context);
    // A tail goes on until its client leaves.
    if (answer instanceof BytesReply && !(answer.body instanceof Uint8Array) && route.path !== "/tail")
      for await (const chunk of answer.body) assert.ok(chunk.length >= 0);
    return { refusal: null, statements };
  } catch (error) {
    if (error instanceof ParameterError) return { refusal: error, statements };
    assert.ok(error instanceof Failure && error.code !== "internal", error instanceof Error ? error.stack : String(error));
    return { refusal: null, statements };
  } finally {
    leaving.abort();
  }
}

/** The parameters that a route must have, and a harmless text for the one in question. */
function giveWith(route: RouteDefinition, parameter: string, value: string): Map<string, readonly string[]> {
  const ids: Readonly<Record<string, string>> = { id: traceIdOf(1), spanId: "00000000000000aa" };
  const required = Object.entries(route.params).filter(([name, { isRequired }]) => isRequired && name !== parameter);
  return new Map([
    ...required.map(([name, { place }]): [string, readonly string[]] => [
      name,
      [place === "path" ? (ids[name] ?? "name") : "{ }"],
    ]),
    [parameter, [value]],
  ]);
}

/** Ids and counts stand in the text, checked before: every number and every literal of bytes is alike. */
function shapeOf(statements: readonly string[]): string {
  return statements.map((sql) => sql.replaceAll(/'(?:\\x[0-9a-f]{2})+'/g, "ID").replaceAll(/\d+/g, "0")).join("\n;\n");
}

const everyParameter = routes.flatMap((route) => Object.keys(route.params).map((parameter) => ({ route, parameter })));

/** Parameters that take any text, and how a text is put into them. */
const TEXTS: Readonly<Record<string, (text: string) => string>> = {
  service: (text) => text,
  name: (text) => text,
  prefix: (text) => text,
  attribute: (text) => `some.key=${text}`,
  q: (text) => `{ span.a = ${JSON.stringify(text)} || name > ${JSON.stringify(text)} }`,
  selection: (text) => `{ resource.a != ${JSON.stringify(text)} }`,
  a: (text) => `{ event.a = ${JSON.stringify(text)} }`,
  b: (text) => `{ .a = ${JSON.stringify(text)} } >> { }`,
  by: (text) => `span.x${text}`,
  key: (text) => `span.x${text}`,
  focus: (text) => text,
};

describe("hostile texts for every parameter of every route", () => {
  it("are refused by name, with what was given and what is accepted, or answered", async (t) => {
    let [count, refused] = [0, 0];
    for (const { route, parameter } of everyParameter) {
      for (const payload of PAYLOADS) {
        const { refusal } = await run(route, giveWith(route, parameter, payload));
        count += 1;
        if (refusal === null) continue;
        refused += 1;
        const what = `${route.path} ${parameter}=${JSON.stringify(payload)}: ${refusal.message}`;
        // One that is given may want another beside it.
        const isMissing = refusal.faults.some(
          ({ given, accepted }) => given === null && accepted.includes(`${parameter} is given`),
        );
        if (isMissing) continue;
        const fault = refusal.faults.find((one) => one.parameter === parameter);
        assert.ok(fault !== undefined, what);
        assert.ok(fault.accepted.length > 10, what);
        assert.equal(fault.given, payload, what);
      }
    }
    t.diagnostic(`${count} texts for ${everyParameter.length} parameters of ${routes.length} routes, ${refused} refused`);
    assert.ok(PAYLOADS.length >= 500 && refused > 0);
  });

  it("become the SQL that harmless texts of their kind become", async (t) => {
    let count = 0;
    for (const { route, parameter } of everyParameter) {
      const put = TEXTS[parameter];
      if (put === undefined) continue;
      const shapes = new Map<string, string>();
      // What is no number and no truth is a text. An attribute that is not there would be 0 too, so that asks whether it is there.
      const typesOf = (text: string): string =>
        untypedMeanings(text, "=")
          .map((literal) => (literal.type === "int" && literal.value === 0n ? "zero" : literal.type))
          .join();
      const kindOf = parameter === "attribute" ? typesOf : (): string => "text";
      const harmless = ["true", "1.5", "0", "1", "word"].map((text): [string, string] => [kindOf(text), text]);
      for (const [kind, text] of harmless)
        shapes.set(kind, shapeOf((await run(route, giveWith(route, parameter, put(text)))).statements));
      for (const payload of BASE.filter((text) => text !== "")) {
        const { refusal, statements } = await run(route, giveWith(route, parameter, put(payload)));
        if (refusal !== null) continue;
        assert.equal(shapeOf(statements), shapes.get(kindOf(payload)), `${route.path} ${parameter}=${JSON.stringify(payload)}`);
        count += 1;
      }
    }
    t.diagnostic(`${count} texts`);
    assert.ok(count > 1_000);
  });
});
