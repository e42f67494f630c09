import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidError } from "@callchain/schemas/span/errors.ts";
import * as fc from "fast-check";
import { QueryError } from "./lexer.ts";
import { parseQuery, parseSeriesQuery, parseTraceQuery } from "./parse.ts";
import { formatSeriesQuery } from "./series-query.ts";
import { formatTraceQuery, narrowQuery } from "./trace-query.ts";

const read = (text: string): string => formatTraceQuery(parseTraceQuery(text));

describe("TraceQL", () => {
  const readings: readonly (readonly [string, string])[] = [
    ["", "{ }"],
    ["{}>>{}", "{ } >> { }"],
    ['{ .a = 1 } && { .b = 2 } || { name = "x" }', '({ .a = 1 } && { .b = 2 }) || { name = "x" }'],
    ["{ .a } > { .b } > { .c }", "({ .a = true } > { .b = true }) > { .c = true }"],
    ["{ .a } && { .b } >> { .c }", "{ .a = true } && ({ .b = true } >> { .c = true })"],
    ["{ status=error } !>> { } ", "{ status = error } !>> { }"],
    ["{ } &<< { } !~ { } &~ { } !< { }", "((({ } &<< { }) !~ { }) &~ { }) !< { }"],
    ["(({ } ~ { }))", "{ } ~ { }"],
    ["{ } | count() > 2 | by(resource.service.name, name)", "{ } | count() > 2 | by(resource.service.name, name)"],
    ["{ } | avg(duration) > 1.5s | sum(.bytes)<=1e3", "{ } | avg(duration) > 1500ms | sum(.bytes) <= 1000.0"],
    ['{ } | { name = "a" } | select(span."a b", .c) | coalesce()', '{ } | { name = "a" } | select(span."a b", .c) | coalesce()'],
    ["({ } | count() > 1) >> { .a = nil }", "({ } | count() > 1) >> { .a = nil }"],
    ["status=error | count() = 1", "{ status = error } | count() = 1"],
    ["{ trace:complete && trace:spanCount > 10 }", "{ trace:complete = true && trace:spanCount > 10 }"],
    ["{ event:timeSinceStart > 2ms }", "{ event:timeSinceStart > 2ms }"],
    ["{ } | max(duration) > 3 * avg(duration)", "{ } | max(duration) > 3 * avg(duration)"],
    ["{ } | sum(.a - .b)/count()>= 2|count()+1=3", "{ } | sum(.a - .b) / count() >= 2 | count() + 1 = 3"],
    ["{ } | (count() - 1) * -2 < -5", "{ } | (count() - 1) * (-2) < -5"],
    ["{ } | 2 < count()", "{ } | 2 < count()"],
    [
      "{ } | select(duration, span:id, event.x, trace:complete, rootName, childCount)",
      "{ } | select(duration, span:id, event.x, trace:complete, rootName, span:childCount)",
    ],
  ];
  for (const [text, understood] of readings) {
    it(`reads ${text === "" ? "nothing" : text}`, () => {
      assert.equal(read(text), understood);
      assert.equal(read(understood), understood);
    });
  }

  /** The text, the character that is wrong (counted from 0), and what is said. */
  const faults: readonly (readonly [string, number, RegExp])[] = [
    ["{ } | cuont() > 1", 6, /expected a stage: .*count\(\)/],
    ["{ } | count() >", 15, /found the end, expected a number/],
    ["{ } | count( > 1", 13, /expected a closing \)/],
    ["{ } | avg(name) > 1", 10, /expected duration, or an attribute/],
    ["{ } | avg(event.x + 1) > 1", 10, /expected duration, or an attribute/],
    ["{ } | max(duration) > name", 22, /expected a number, a duration, or one of count\(\)/],
    ["{ } | count() > 5ms", 16, /expected a number/],
    ["{ } | max(duration) 5", 20, /one of = != > </],
    ["{ } | (count() > 2", 15, /a closing \)/],
    ["{ } | avg(duration) > 1", 22, /expected a duration with its unit/],
    ["{ } | max(.a) =~ 1", 14, /one of = != > </],
    ["{ } | by(duration)", 9, /expected an attribute of the span or the resource, or one of name/],
    ["{ } | by(.a .b)", 12, /another field after a comma/],
    ["{ } >> ", 7, /found the end, expected a spanset/],
    ["{ } { }", 4, /expected &&, \|\|, > >>/],
    ["{ } >>> { }", 6, /expected a spanset/],
    ["({ } && { }", 11, /closing \)/],
    ["{ .a = 1 } >> { .b ", 19, /&&, \|\| or a closing \}/],
    ["{ } &&& { }", 6, /found "&"|expected a/],
    ["{ trace:spanCount > 1.5 }", 20, /whole number/],
    ["{ trace:complete = 1 }", 19, /true or false/],
    [Array.from({ length: 17 }, () => "{ }").join(" >> "), 112, /at most 16 spansets/],
    [`{ } ${"| coalesce() ".repeat(17)}`, 4 + 13 * 16 + 2, /at most 16 stages/],
    [`{ } | by(${Array.from({ length: 9 }, () => ".a").join(",")})`, 33, /at most 8 fields/],
    [`${"(".repeat(40)}{ }`, 33, /at most 32 levels/],
  ];
  for (const [text, at, message] of faults) {
    it(`points at what is wrong in ${text.slice(0, 40)}`, () => {
      assert.throws(
        () => parseTraceQuery(text),
        (error) => {
          assert.ok(error instanceof QueryError);
          assert.match(error.message, message);
          assert.equal(error.at, at, error.message);
          return true;
        },
      );
    });
  }

  it("is read in part where a question is about spans alone", () => {
    assert.throws(
      () => parseQuery("{ } >> { }"),
      /at character 5: found ">>", expected the end: here each span is looked at by itself, by one spanset/,
    );
    assert.throws(() => parseQuery("{ } | count() > 1"), /at character 5: found "\|"/);
  });

  it("is narrowed by further conditions on its spans", () => {
    const more = parseQuery("{ status = error }");
    const narrow = (text: string): string => formatTraceQuery(narrowQuery(parseTraceQuery(text), more));
    assert.equal(narrow('{ name = "a" } | count() > 1'), '{ status = error && name = "a" } | count() > 1');
    assert.equal(narrow("{ .a } >> { .b } | count() > 1"), "{ .a = true } >> { .b = true } | { status = error } | count() > 1");
    assert.equal(formatTraceQuery(narrowQuery(parseTraceQuery("{ } ~ { }"), parseQuery(""))), "{ } ~ { }");
  });

  it("never throws anything but an InvalidError, whatever the text", () => {
    const pieces = [
      "{",
      "}",
      "(",
      ")",
      "&&",
      "||",
      ">>",
      "!<",
      "&~",
      "~",
      "|",
      "count()",
      "by(",
      "avg(duration)",
      "select(.a)",
      ".a",
      ">",
      "1",
      " ",
      ",",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces, "{ }", "{ .a }", "5ms", '"'), { maxLength: 30 }), (parts) => {
        try {
          const query = parseTraceQuery(parts.join(""));
          assert.deepEqual(parseTraceQuery(formatTraceQuery(query)), query);
        } catch (error) {
          assert.ok(error instanceof InvalidError, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("TraceQL over time", () => {
  const readings: readonly (readonly [string, string])[] = [
    ["{ } | rate()", "{ } | rate()"],
    ["status=error | rate() by(.service.name)", "{ status = error } | rate() by(.service.name)"],
    ["{ .a } | { .b } | count_over_time()by(name,.c)", "{ .a = true } | { .b = true } | count_over_time() by(name, .c)"],
    ["{ .a } >> ({ .b } | count() > 1) | rate()", "{ .a = true } >> ({ .b = true } | count() > 1) | rate()"],
    ["{ } | quantile_over_time(duration, .5,0.99, 1)", "{ } | quantile_over_time(duration, 0.5, 0.99, 1)"],
    ["{ } | histogram_over_time(span.size)", "{ } | histogram_over_time(span.size)"],
    ["{ } | avg_over_time(duration/2 + .x)", "{ } | avg_over_time((duration / 2) + .x)"],
    ["{ } | rate() by(name) > 10 | topk(5) | bottomk(2) < 1e3", "{ } | rate() by(name) > 10 | topk(5) | bottomk(2) < 1000.0"],
    ["{ } | max_over_time(duration)>1s", "{ } | max_over_time(duration) > 1s"],
    ["{ .a } | compare({status=error})", "{ .a = true } | compare({ status = error }, 10)"],
    ["{ } | compare({ }, 5, 10, 20)", "{ } | compare({ }, 5, 10, 20)"],
  ];
  for (const [text, understood] of readings) {
    it(`reads ${text}`, () => assert.equal(formatSeriesQuery(parseSeriesQuery(text)), understood));
  }

  const faults: readonly (readonly [string, number, RegExp])[] = [
    ["{ }", 3, /expected &&, .* or \| and a function over time: rate, count_over_time/],
    ["{ } >> { }", 10, /or \| and a function over time/],
    ["{ } | count() > 1", 17, /\| and a stage, or \| and a function over time/],
    ["{ } | rates()", 6, /expected a stage: .*count\(\)/],
    ["{ } | rate(duration)", 11, /closing \)/],
    ["{ } | min_over_time(name)", 20, /duration, or an attribute/],
    ["{ } | quantile_over_time(duration)", 33, /a comma and a quantile/],
    ["{ } | quantile_over_time(duration, 99)", 35, /from 0 to 1/],
    [`{ } | quantile_over_time(duration${", .5".repeat(11)})`, 73, /at most 10 quantiles/],
    ["{ } | rate() | rate()", 15, /expected topk\(\) or bottomk\(\)/],
    ["{ } | rate() 5", 13, /by\(\.\.\.\), one of = != .*\| and topk\(\) or bottomk\(\), or the end/],
    ["{ } | rate() > 5ms", 15, /a number/],
    ["{ } | max_over_time(duration) > 5", 32, /a duration/],
    ["{ } | rate() | topk(0)", 20, /a whole number from 1 to 100/],
    ["{ } | rate() | topk(101)", 20, /a whole number from 1 to 100/],
    ["{ } | compare(5)", 14, /the selection, one spanset/],
    ["{ } | compare({ }, 5, 20, 10)", 26, /a time after the selection's start/],
    ["{ } | compare({ }, 5, now)", 22, /Unix nanoseconds/],
    ["{ } | compare({ }, 5) by(name)", 22, /the end/],
    ["{ } | rate() by(duration)", 16, /an attribute of the span or the resource, or one of/],
  ];
  for (const [text, at, message] of faults) {
    it(`points at what is wrong in ${text.slice(0, 40)}`, () => {
      assert.throws(
        () => parseSeriesQuery(text),
        (error) => error instanceof QueryError && error.at === at && message.test(error.message),
      );
    });
  }
});
