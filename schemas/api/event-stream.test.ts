import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { EventStreamParser, formatEvent, type StreamEvent } from "./event-stream.ts";

function parse(text: string): StreamEvent[] {
  return new EventStreamParser().push(text);
}

describe("an event stream", () => {
  it("gives back what was written, however it is cut", () => {
    const item = fc.record({
      event: fc.constantFrom("spans", "dropped"),
      id: fc.stringMatching(/^[\d:,]{1,20}$/),
      data: fc.json(),
    });
    fc.assert(
      fc.property(fc.array(item), fc.array(fc.nat(200)), (items, cuts) => {
        const text = items.map((each) => `: beat\n\n${formatEvent(each)}`).join("");
        const parser = new EventStreamParser();
        const found: StreamEvent[] = [];
        let at = 0;
        for (const cut of [...cuts, text.length]) {
          found.push(...parser.push(text.slice(at, at + cut)));
          at += cut;
        }
        found.push(...parser.push(text.slice(at)));
        assert.deepEqual(
          found,
          items.map(({ event, id, data }) => ({ event, id, data: JSON.stringify(data) })),
        );
      }),
    );
  });

  it("is read as the standard says: any line break, several data lines, ids that stay, events without data that are not told", () => {
    assert.deepEqual(
      parse("id: 7\r\ndata: a\rdata:b\n\n:comment\nevent\ndata\n\nid: 8\n\nretry: 10\ndata: c\n\nevent: x\ndata: cut"),
      [
        { event: "message", data: "a\nb", id: "7" },
        { event: "message", data: "", id: "7" },
        { event: "message", data: "c", id: "8" },
      ],
    );
  });

  it("does not take a line break that is cut in two for two of them", () => {
    const parser = new EventStreamParser();
    assert.deepEqual(parser.push("id: 9\n\ndata: a\r"), []);
    assert.equal(parser.lastId, "9");
    assert.deepEqual(parser.push("\ndata: b\r\n\r"), []);
    assert.deepEqual(parser.push("\n"), [{ event: "message", data: "a\nb", id: "9" }]);
  });
});
