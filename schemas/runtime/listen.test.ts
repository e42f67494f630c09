import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { afterEach, test } from "node:test";
import { Failure } from "../span/errors.ts";
import { formatAddress, listen, urlOf } from "./listen.ts";

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

function server(): Server {
  const made = createServer();
  open.push(made);
  return made;
}

test("port 0 becomes the port that was taken", async () => {
  const bound = await listen(server(), { host: "127.0.0.1", port: 0 }, "--any-address");
  assert.ok(bound.port > 0);
  assert.equal(urlOf(bound), `http://127.0.0.1:${bound.port}`);
});

test("a taken port is refused with the address and the flag that changes it", async () => {
  const bound = await listen(server(), { host: "127.0.0.1", port: 0 }, "--any-address");
  await assert.rejects(listen(server(), bound, "--otlp-http-address"), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.code, "unavailable");
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${bound.port}: another process .*--otlp-http-address`));
    return true;
  });
});

test("an address that this machine does not have is named as such", async () => {
  await assert.rejects(
    listen(server(), { host: "192.0.2.1", port: 0 }, "--query-address"),
    /no network interface.*--query-address/,
  );
});

test("an IPv6 host is written in brackets", () => {
  assert.equal(formatAddress({ host: "::1", port: 4318 }), "[::1]:4318");
});
