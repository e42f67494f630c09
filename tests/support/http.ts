/** One GET whose path is sent as it is: fetch would tidy it up first. */
import { request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export function askRaw(origin: string, path: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path }, (reply) => {
      let body = "";
      reply.setEncoding("utf8");
      reply.on("data", (piece: string) => (body += piece));
      reply.once("end", () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body }));
    });
    sent.once("error", reject);
    sent.end();
  });
}
