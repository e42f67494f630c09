import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidError } from "@callchain/schemas/span/errors.ts";
import * as fc from "fast-check";
import { compileQuery } from "./compile.ts";
import { buildFilterQuery, parseAttributeFilter, type Filters } from "./filters.ts";
import { parseQuery } from "./parse.ts";
import { COMPARISONS, formatQuery, type Comparison } from "./query.ts";

const read = (text: string): string => formatQuery(parseQuery(text));

describe("the query language", () => {
  const readings: readonly (readonly [string, string])[] = [
    ["{}", "{ }"],
    ["", "{ }"],
    ["  { name = `GET /` } ", '{ name = "GET /" }'],
    ['{span.http.route="/a"&&status=error}', '{ span.http.route = "/a" && status = error }'],
    ["{ duration > 1.5s || kind = server && !(.x = nil) }", "{ duration > 1500ms || (kind = server && !(.x = nil)) }"],
    ["{ (span.a = 1 || span.b = 2.5) && span.c != true }", "{ (span.a = 1 || span.b = 2.5) && span.c != true }"],
    ['{ resource.service.name =~ "a|b" }', '{ resource.service.name =~ "a|b" }'],
    ["{ 500 <= span.http.status_code }", "{ span.http.status_code >= 500 }"],
    ['{ span."a b c" = "x\\ny" }', '{ span."a b c" = "x\\ny" }'],
    ["{ span:duration >= 10ms && trace:rootName = `r` }", '{ duration >= 10ms && rootName = "r" }'],
    ['{ status = "error" && kind != "client" }', "{ status = error && kind != client }"],
    ["{ .cached }", "{ .cached = true }"],
    ["{ span:parentID = nil }", "{ span:parentID = nil }"],
    ["{ span.ratio = 1.0 }", "{ span.ratio = 1.0 }"],
    ["{ span.a > span.b }", "{ span.a > span.b }"],
    ["{ duration>2*span.expected }", "{ duration > 2 * span.expected }"],
    ["{ .a + .b * 2 ^ -3 ^ 2 = 1 }", "{ .a + (.b * (2 ^ (-(3 ^ 2)))) = 1 }"],
    ["{ (.a + .b) * 2 - .c - 1 < 5ms }", "{ (((.a + .b) * 2) - .c) - 1 < 5ms }"],
    ["{ -(-.a) % 2 = -1 && (.b || (.c) = 2) }", "{ (-(-.a)) % 2 = -1 && (.b = true || .c = 2) }"],
    ["{ -.a ^ 2 < -2 ^ 2 }", "{ -(.a ^ 2) < -(2 ^ 2) }"],
    ["{ span.a-b > span.a -.b }", "{ span.a-b > span.a - .b }"],
    ['{ ."5a" = .5 }', '{ ."5a" = 0.5 }'],
    ["{ event:name = name && childCount > 1 }", "{ event:name = name && span:childCount > 1 }"],
    ["{ duration > -5ms && span.x > -9223372036854775808 }", "{ duration > -5ms && span.x > -9223372036854775808 }"],
    ["{ duration > 0.5 * trace:duration }", "{ duration > 0.5 * traceDuration }"],
  ];
  for (const [text, understood] of readings) {
    it(`reads ${JSON.stringify(text)}`, () => assert.equal(read(text), understood));
  }

  it("accepts words and key=value without braces and shows them rewritten", () => {
    assert.equal(read("checkout"), '{ name =~ ".*checkout.*" || resource.service.name =~ ".*checkout.*" }');
    assert.equal(read("user=42"), '{ .user = "42" || .user = 42 }');
    assert.equal(read("service=cart status=error"), '{ resource.service.name = "cart" && status = error }');
    assert.equal(read("level=error ttl=5s flag=true"), '{ .level = "error" && .ttl = "5s" && (.flag = "true" || .flag = true) }');
    assert.equal(read("duration>100ms name=GET"), '{ duration > 100ms && name = "GET" }');
    assert.equal(read("0af7651916cd43dd8448eb211c80319C"), '{ trace:id = "0af7651916cd43dd8448eb211c80319c" }');
  });

  const faults: readonly (readonly [string, RegExp])[] = [
    ["{ span.x = ", /at character 12: found the end, expected a value/],
    ["{ foo = 1 }", /at character 3: found "foo", expected a field/],
    ["{ duration > 5 }", /at character 14: found "5", expected a duration with its unit/],
    ["{ span.x ~ 5 }", /at character 10: found "~"/],
    ['{ span.x = "abc', /closing "/],
    ["{ span.x = 1 } | count() > 2", /at character 16: found "\|", expected the end/],
    ["{ status > error }", /expected = or != with one of unset, ok, error/],
    ["{ span.x = 99999999999999999999 }", /at most 64 bits/],
    ["{ span.x = 1e999 }", /range of a double/],
    [`{ span.x =~ "${"a".repeat(257)}" }`, /at most 256 characters/],
    ["{ span.x =~ 5 }", /regular expression \(RE2\) in quotes/],
    ["{ span.ttl = 5s }", /attributes have no duration type/],
    ['{ trace:id = "abc" }', /32 hex digits/],
    ["{ name = nil }", /every span has name/],
    ["{ name + 1 > 2 }", /at character 3: found "name", expected a number: name is none/],
    ["{ .a > name * 2 }", /at character 8: found "name", expected a number: name is none/],
    ["{ duration = name }", /at character 14: found "name", expected a number to compare with duration/],
    ["{ .a = status }", /at character 8: found "status", expected .*status is compared with values alone/],
    ["{ .a + 1 = nil }", /at character 12: found "nil".*compared with values alone/],
    ["{ .a =~ .b }", /at character 9: found ".b", expected a regular expression/],
    ["{ (.a > 1) + 1 > 2 }", /at character 4: found ".a", expected a field, a value or a number, not a condition/],
    ["{ .a + > 2 }", /at character 8: found ">", expected a field/],
    ["{ .a > 1 > 2 }", /at character 10: found ">", expected &&/],
    [`{ .a > ${"-".repeat(60)}.b }`, /at most 32 levels/],
    [`${"(".repeat(60)}a`, /at most 32 levels/],
    [`{ ${Array.from({ length: 65 }, () => "span.x = 1").join(" && ")} }`, /at most 64 comparisons/],
    ["x".repeat(5000), /at most 4096 characters/],
  ];
  for (const [text, message] of faults) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))} and says why`, () => assert.throws(() => parseQuery(text), message));
  }

  it("never throws anything but an InvalidError, whatever the text", () => {
    const pieces = [
      "{",
      "}",
      "(",
      ")",
      "&&",
      "||",
      "!",
      "span.",
      ".a",
      "name",
      "duration",
      "5ms",
      '"',
      "`",
      " ",
      "=~",
      "nil",
      "1e5",
      "\0",
      "\ud800",
      "+",
      "-",
      "*",
      "/",
      "%",
      "^",
      ".b",
      "2",
    ];
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(fc.constantFrom(...pieces, ...COMPARISONS)).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          compileQuery(parseQuery(given));
        } catch (error) {
          assert.ok(error instanceof InvalidError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("reads its own canonical text as the same query", () => {
    const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    const literal = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 20 }).map((value) => JSON.stringify(value)),
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String),
      fc.constantFrom("1.5", "0.0", "1e+300", "-2.25e-7"),
    );
    const comparison = fc.constantFrom<Comparison>("=", "!=", ">", "<=");
    const field = fc
      .tuple(fc.constantFrom("span.", "resource.", ".", "event."), key)
      .map(([scope, name]) => `${scope}${JSON.stringify(name)}`);
    const { sum } = fc.letrec<{ sum: string }>((tie) => ({
      sum: fc.oneof(
        { maxDepth: 3 },
        field,
        fc.constantFrom("2", "-2", "1.5e-7", "3ms", ".5"),
        fc
          .tuple(tie("sum"), fc.constantFrom("+", "-", "*", "/", "%", "^"), tie("sum"))
          .map(([a, operator, b]) => `(${a} ${operator} ${b})`),
        fc.tuple(field, fc.constantFrom("+", "-", "*", "/", "%", "^"), field).map((parts) => parts.join(" ")),
        tie("sum").map((inner) => `-${inner}`),
      ),
    }));
    const term = fc.oneof(
      fc.tuple(field, comparison, literal).map((parts) => parts.join(" ")),
      fc.tuple(sum, comparison, field, sum).map(([a, operator, b, c]) => `${a} ${operator} ${b} + ${c}`),
    );
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 4 },
        term,
        fc
          .tuple(tie("expression"), fc.constantFrom("&&", "||"), tie("expression"))
          .map(([a, operator, b]) => `(${a} ${operator} ${b})`),
        tie("expression").map((inner) => `!(${inner})`),
      ),
    }));
    fc.assert(
      fc.property(expression, (inner) => {
        const query = parseQuery(`{ ${inner} }`);
        assert.deepEqual(parseQuery(formatQuery(query)), query);
      }),
    );
  });
});

describe("the SQL of a query", () => {
  it("holds no text of the caller's: values and names are bound", () => {
    const word = fc.string({ unit: "grapheme", minLength: 3, maxLength: 20 }).map((text) => `@${text}@`);
    fc.assert(
      fc.property(
        word,
        word,
        fc.constantFrom("=", "!=", "=~", ">"),
        fc.constantFrom("span.", "resource.", ".", "event."),
        (key, value, operator, scope) => {
          const { where, params } = compileQuery(
            parseQuery(`{ ${scope}${JSON.stringify(key)} ${operator} ${JSON.stringify(value)} }`),
          );
          assert.ok(!where.includes(key) && !where.includes(value), where);
          assert.ok(Object.values(params).includes(key));
        },
      ),
    );
    fc.assert(
      fc.property(word, fc.constantFrom("span.", "resource.", ".", "event.", "link.", "instrumentation."), (key, scope) => {
        const field = `${scope}${JSON.stringify(key)}`;
        const { where, params } = compileQuery(parseQuery(`{ ${field} * 1234 != .b && ${field} = .b }`));
        assert.ok(!where.includes(key) && !where.includes("1234"), where);
        assert.ok(Object.values(params).includes(key));
      }),
    );
  });

  it("looks an attribute up under its old and new names", () => {
    const { params } = compileQuery(parseQuery('{ span.http.method = "GET" }'));
    assert.deepEqual(new Set(Object.values(params)), new Set(["http.method", "http.request.method", "GET"]));
  });

  it("takes the prefix of its parameters from the caller", () => {
    assert.deepEqual(Object.keys(compileQuery(parseQuery('{ name = "a" }'), { prefix: "left" }).params), ["left0"]);
  });
});

describe("structured filters", () => {
  const none: Filters = { q: null, service: null, name: null, attribute: [], minDuration: null, maxDuration: null, status: null };

  it("are joined with q by &&", () => {
    const attribute = ["http.route=/a=b", "resource.pod=7"].flatMap((text) => parseAttributeFilter(text) ?? []);
    const query = buildFilterQuery({
      ...none,
      q: parseQuery("{ kind = server }"),
      service: "cart",
      attribute,
      minDuration: 1_500_000n,
      status: "error",
    });
    assert.equal(
      formatQuery(query),
      '{ resource.service.name = "cart" && .http.route = "/a=b" && (resource.pod = "7" || resource.pod = 7) && status = error && duration >= 1500us && kind = server }',
    );
  });

  it("need a key and a value", () => {
    assert.equal(parseAttributeFilter("abc"), undefined);
    assert.equal(parseAttributeFilter("=abc"), undefined);
    assert.equal(parseAttributeFilter("abc=")?.value, "");
  });
});
