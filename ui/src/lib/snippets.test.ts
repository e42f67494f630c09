import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { ingestSnippets } from "./snippets.ts";

describe("the snippets", () => {
  it("each name the endpoint, for five languages and curl", () => {
    const snippets = ingestSnippets("http://collector:4318");
    assert.deepEqual(
      snippets.map(({ name }) => name),
      ["Node.js", "Python", "Java", "Go", ".NET", "curl"],
    );
    for (const { code } of snippets) assert.ok(code.includes("http://collector:4318"));
  });

  it("for curl give a shell a body that is JSON with valid ids and times", () => {
    const code = ingestSnippets("http://collector:4318").find(({ name }) => name === "curl")?.code ?? "";
    // The shell puts the body together; a function in place of curl prints its last argument.
    const body = execFileSync("bash", ["-c", `curl() { printf '%s' "\${@: -1}"; }\n${code}`], { encoding: "utf8" });
    const span = JSON.parse(body).resourceSpans[0].scopeSpans[0].spans[0];
    assert.match(span.traceId, /^[0-9a-f]{32}$/);
    assert.match(span.spanId, /^[0-9a-f]{16}$/);
    assert.equal(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano), 250_000_000n);
  });
});
