import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { it } from "node:test";
import { ConnectionPool } from "@platformatic/kafka";
import { clientOptions } from "./client.ts";
import { kafkaSettings } from "./settings.ts";
import { readConfig } from "@callchain/schemas/runtime/config.ts";

it("a connection that is reset after everybody has let go of it does not end the process", async () => {
  const server = createServer((socket) => socket.on("error", () => undefined)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const config = readConfig(kafkaSettings, { argv: ["--kafka-brokers", `127.0.0.1:${address.port}`], env: {} });
  const pool = new ConnectionPool("test", clientOptions(config, "test"));
  const connection = await pool.get({ host: "127.0.0.1", port: address.port });
  // The pool listens once; a refused login is told first, then the reset of its socket.
  for (const reason of ["login refused", "reset"]) assert.doesNotThrow(() => connection.emit("error", new Error(reason)));
  await pool.close();
  await connection.close();
  server.close();
});
