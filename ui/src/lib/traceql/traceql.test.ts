import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { completionPlace, fieldKey, markedPiece, problemPosition, quoteText, writeField, writeValue } from "./completion.ts";
import { queryTokens } from "./tokens.ts";

const kinds = (text: string): string[] =>
  queryTokens(text)
    .filter(({ kind }) => kind !== "space")
    .map(({ kind, text: piece }) => `${kind} ${piece}`);

/** Texts that look like queries more often than not. */
const queryText = fc
  .array(
    fc.oneof(
      fc.constantFrom("{", "}", "span.a", '"x y"', "&&", "=", ">=", "250ms", "status", "error", "|", "(", " ", '"'),
      fc.string(),
    ),
  )
  .map((pieces) => pieces.join(""));

describe("the pieces of a query", () => {
  it("are told apart", () => {
    assert.deepEqual(kinds('{ span.http.route =~ "/a|b" && duration>250ms || !(kind = server) } | count() > 2'), [
      "brace {",
      "field span.http.route",
      "operator =~",
      'string "/a|b"',
      "operator &&",
      "field duration",
      "operator >",
      "number 250ms",
      "operator ||",
      "operator !",
      "brace (",
      "field kind",
      "operator =",
      "keyword server",
      "brace )",
      "brace }",
      "operator |",
      "function count",
      "brace (",
      "brace )",
      "operator >",
      "number 2",
    ]);
  });

  it("keep a quoted tail and dashes within a name", () => {
    assert.deepEqual(kinds('span."a b" = content-type'), ['field span."a b"', "operator =", "word content-type"]);
    assert.deepEqual(kinds("{ } >> { }").at(2), "operator >>");
  });

  it("follow each other without gaps and lose nothing, whatever is typed", () => {
    fc.assert(
      fc.property(queryText, (text) => {
        const tokens = queryTokens(text);
        assert.equal(tokens.map((token) => token.text).join(""), text);
        for (const [index, token] of tokens.entries()) {
          assert.equal(token.from, tokens[index - 1]?.to ?? 0);
          assert.ok(token.to > token.from);
        }
      }),
    );
  });
});

/** The place of the `^`, which is taken out. */
function placeAt(marked: string): ReturnType<typeof completionPlace> {
  const at = marked.indexOf("^");
  return completionPlace(marked.replace("^", ""), at);
}

describe("what may stand at the caret", () => {
  it("is a field at the start of a term", () => {
    assert.deepEqual(placeAt("{ ^ }"), { kind: "field", from: 2, typed: "", bare: false });
    assert.deepEqual(placeAt("{ duration > 5ms && span.ht^"), { kind: "field", from: 20, typed: "span.ht", bare: false });
    assert.deepEqual(placeAt("^"), { kind: "field", from: 0, typed: "", bare: true });
    assert.deepEqual(placeAt("dur^"), { kind: "field", from: 0, typed: "dur", bare: true });
  });

  it("is a value after a comparison, with the field whose it is", () => {
    assert.deepEqual(placeAt('{ span.http.route = "/ca^" }'), {
      kind: "value",
      field: "span.http.route",
      from: 20,
      to: 25,
      typed: "/ca",
      quoted: true,
      bare: false,
    });
    const bare = placeAt("service=che^");
    assert.ok(bare?.kind === "value" && bare.field === "service" && bare.typed === "che" && !bare.quoted && bare.bare);
    const empty = placeAt("{ status = ^ }");
    assert.ok(empty?.kind === "value" && empty.typed === "" && empty.from === 11 && empty.to === 11);
  });

  it("is an operator after a field, a joint after a value, a pipeline after the spanset", () => {
    assert.deepEqual(placeAt("{ duration ^ }"), { kind: "operator", after: "field", from: 11, typed: "" });
    assert.deepEqual(placeAt("{ duration > 5ms ^ }"), { kind: "operator", after: "value", from: 17, typed: "" });
    assert.deepEqual(placeAt("{ duration > 5ms } | co^"), { kind: "pipeline", from: 21, typed: "co" });
    assert.deepEqual(placeAt("{ } ^"), { kind: "operator", after: "spanset", from: 4, typed: "" });
    assert.deepEqual(placeAt("{ } | by(^)"), { kind: "field", from: 9, typed: "", bare: false });
    assert.deepEqual(placeAt("{ } | select(name, span.h^"), { kind: "field", from: 19, typed: "span.h", bare: false });
    assert.equal(placeAt("{ } | count() > ^"), null);
    assert.deepEqual(placeAt("{ duration > 2 * sp^ }"), { kind: "field", from: 17, typed: "sp", bare: false });
  });

  it("always begins at or before the caret and never throws", () => {
    fc.assert(
      fc.property(queryText, fc.nat(60), (text, position) => {
        const at = Math.min(position, text.length);
        const place = completionPlace(text, at);
        if (place === null) return;
        assert.ok(place.from <= at);
        if (place.kind === "value") assert.ok(place.to >= at);
        assert.ok(text.slice(place.from, at).endsWith(place.typed));
      }),
    );
  });
});

describe("writing into a query", () => {
  it("quotes texts and leaves numbers, statuses and kinds", () => {
    assert.equal(writeValue('a "b"\n', "string", "span.x"), '"a \\"b\\"\\n"');
    assert.equal(writeValue("500", "int", "span.x"), "500");
    assert.equal(writeValue("error", "string", "status"), "error");
    assert.equal(writeField("span", "http.route"), "span.http.route");
    assert.equal(writeField("resource", "a b"), 'resource."a b"');
  });

  it("makes one piece of any text, and a field's key is read back from its quotes", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        assert.deepEqual(
          queryTokens(quoteText(text)).map(({ kind }) => kind),
          ["string"],
        );
        if (/[\n\t\r]/.test(text)) return;
        assert.equal(fieldKey(writeField("span", text)), `span.${text}`);
        assert.equal(queryTokens(`${writeField("span", text)} = 1`)[0]?.kind, "field");
      }),
    );
  });
});

describe("a refused query", () => {
  it("is marked at the character that the problem names", () => {
    assert.equal(problemPosition('at character 3: found "foo", expected a field'), 2);
    assert.equal(problemPosition("q is too long"), null);
    assert.deepEqual(markedPiece("{ foo bar", 2), { from: 2, to: 5 });
    assert.deepEqual(markedPiece("{ duration >", 12), { from: 11, to: 12 });
    assert.equal(markedPiece("", 0), null);
  });

  it("is marked within its text, whatever the position", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(80), (text, at) => {
        const piece = markedPiece(text, at);
        assert.ok(piece !== null && piece.from >= 0 && piece.from < piece.to && piece.to <= text.length);
      }),
    );
  });
});
