/** Binding a listening address, with refusals that say which address, why, and which flag changes it. */
import type { Server } from "node:net";
import { Failure, messageOf } from "../span/errors.ts";
import type { Address } from "./config.ts";

/**
 * Binds an HTTP, HTTP/2 or plain server. Resolves with the address taken (port 0 becomes the real port). Rejects with Failure
 * "unavailable" naming the address, the cause and the flag that chooses another, e.g. `--otlp-http-address`.
 */
export function listen(server: Server, address: Address, flag: string): Promise<Address> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      server.off("listening", succeed);
      const where = formatAddress(address);
      const mend = `choose another with ${flag} host:port`;
      reject(new Failure("unavailable", `cannot listen on ${where}: ${causeOf(error)}; ${mend}`, { cause: error }));
    };
    const succeed = (): void => {
      server.off("error", fail);
      const bound = server.address();
      const port = bound !== null && typeof bound === "object" ? bound.port : address.port;
      resolve({ host: address.host, port });
    };
    server.once("error", fail);
    server.once("listening", succeed);
    server.listen({ host: address.host, port: address.port });
  });
}

/** `127.0.0.1:4318`, `[::1]:4318`. */
export function formatAddress(address: Address): string {
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}

/** `http://127.0.0.1:4318`, without a slash at its end. */
export function urlOf(address: Address): string {
  return `http://${formatAddress(address)}`;
}

function causeOf(error: Error): string {
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return "another process is using this port";
  if (code === "EACCES") return "this user may not bind this port (ports below 1024 need a privilege)";
  if (code === "EADDRNOTAVAIL") return "no network interface of this machine has this address";
  if (code === "ENOTFOUND") return "this host name does not resolve";
  return messageOf(error);
}
