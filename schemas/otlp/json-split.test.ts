import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ResourceSpansSplitter } from "./json-split.ts";

const encoder = new TextEncoder();

/** Elements as parsed JSON, from the text in pieces of the size. */
function split(text: string, size = 7, elementMaxBytes = 1_000): { value: unknown; line: number }[] {
  const splitter = new ResourceSpansSplitter(elementMaxBytes);
  const bytes = encoder.encode(text);
  const found: { value: unknown; line: number }[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const element of splitter.push(bytes.slice(at, at + size))) {
      found.push({ value: JSON.parse(new TextDecoder().decode(element.bytes)), line: element.line });
    }
  }
  splitter.finish();
  return found;
}

describe("the elements of resourceSpans", () => {
  it("are found in any documents, spaced and cut in any way", () => {
    const element = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 });
    const document = fc.record({
      before: fc.dictionary(
        fc.string().filter((key) => key !== "resourceSpans"),
        fc.jsonValue(),
        { maxKeys: 3 },
      ),
      resourceSpans: fc.array(element, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.array(document, { maxLength: 4 }),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(0, 2),
        (documents, size, indent) => {
          const text = documents
            .map(({ before, resourceSpans }) => JSON.stringify({ ...before, resourceSpans, after: "]}{[" }, null, indent))
            .join("\n");
          assert.deepEqual(
            split(text, size, 1_000_000).map(({ value }) => value),
            // As JSON has them: -0 is written 0.
            JSON.parse(JSON.stringify(documents.flatMap(({ resourceSpans }) => resourceSpans))),
          );
        },
      ),
    );
  });

  it("are told with the line in which they begin", () => {
    assert.deepEqual(
      split('\uFEFF{"resourceSpans":[{"a":"\\"}"},\n\n{}]}\r\n{"x":[{"y":1}],\n"resourceSpans":[{"b":[1]}]}\n{}\n'),
      [
        { value: { a: '"}' }, line: 1 },
        { value: {}, line: 3 },
        { value: { b: [1] }, line: 5 },
      ],
    );
  });

  it("are refused with the line, what is there and what is accepted", () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ["[1]", /line 1: given "\[" where the beginning of a document.*accepted is OTLP\/JSON/],
      ["<html>", /line 1: given "<"/],
      ['{"resourceSpans":[]}\nnull', /line 2: given "n"/],
      ['{"data":[{"traceID":"1"}],"total":0}', /given an object with "data", "total"; accepted/],
      ['{"resourceSpans":[1]}', /given "1" where an element of resourceSpans/],
      ['{"resourceSpans":[{"a":"b', /line 1: the text ends within a document: it was cut off/],
      [`{"resourceSpans":[\n{"a":"${"x".repeat(2_000)}"}]}`, /line 2: an element of resourceSpans is longer than 1000 bytes/],
    ];
    for (const [text, message] of refused) assert.throws(() => split(text), message, text.slice(0, 30));
  });
});
