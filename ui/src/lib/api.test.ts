import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { describe, it } from "node:test";
import { ApiError, isAbort, openApi } from "./api.ts";

async function serve(listener: RequestListener): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

describe("the API client", () => {
  it("leaves out empty parameters, repeats lists and escapes path segments", async () => {
    let asked = "";
    await using server = await serve((request, response) => {
      asked = request.url ?? "";
      response.end("{}");
    });
    await openApi(server.url).listAttributeValues("a/b", { prefix: "x y", none: null, empty: "", list: ["1", "2"], count: 0 });
    assert.equal(asked, "/attributes/a%2Fb/values?prefix=x+y&list=1&list=2&count=0");
  });

  it("gives the server's problem document", async () => {
    const problem = { type: "about:blank", title: "Bad parameter", status: 400, detail: "from is no time", errors: [] };
    await using server = await serve((_, response) => {
      response.writeHead(400, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
    });
    await assert.rejects(openApi(server.url).listServices({}), (error: unknown) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual(error.problem, problem);
      return true;
    });
  });

  it("makes a problem of an answer that is none", async () => {
    await using server = await serve((_, response) => {
      response.writeHead(502).end("<h1>Bad Gateway</h1>");
    });
    await assert.rejects(openApi(server.url).listServices({}), { message: "HTTP 502 Bad Gateway: <h1>Bad Gateway</h1>" });
  });

  it("tells a server that cannot be reached from a request that was given up", async () => {
    const server = await serve(() => {});
    const aborted = AbortSignal.abort();
    await assert.rejects(openApi(server.url).listServices({}, aborted), isAbort);
    await server[Symbol.asyncDispose]();
    await assert.rejects(
      openApi(server.url).listServices({}),
      (error: unknown) => error instanceof ApiError && error.status === 0,
    );
  });
});
