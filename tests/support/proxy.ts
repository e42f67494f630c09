/** A real HTTP proxy between the page and its server, to be told how to fail. Only `/api/` fails: the page itself stays. */
import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";

/**
 * pass: as the server answers; down: the connection is cut; broken: an answer in HTML, as a load balancer's; hanging: no answer; cut: it ends
 * in the middle of an answer; partial: an answer in JSON says that it is not everything, as the server does beyond its limits.
 */
export type ProxyMode = "pass" | "down" | "broken" | "hanging" | "cut" | "partial";

export const PARTIAL_REASON = "the proxy says that half of it was read";

export interface FailingProxy {
  readonly url: string;
  mode: ProxyMode;
  close(): Promise<void>;
}

export async function openProxy(targetUrl: string): Promise<FailingProxy> {
  const target = new URL(targetUrl);
  const state: { mode: ProxyMode } = { mode: "pass" };
  const server = createServer((incoming, outgoing) => {
    const mode = incoming.url?.startsWith("/api/") === true ? state.mode : "pass";
    if (mode === "down") incoming.socket.destroy();
    else if (mode === "broken") outgoing.writeHead(502, { "content-type": "text/html" }).end("<h1>502 Bad Gateway</h1>");
    else if (mode !== "hanging") forward(target, incoming, outgoing, mode);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    get mode() {
      return state.mode;
    },
    set mode(mode) {
      state.mode = mode;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function forward(target: URL, incoming: IncomingMessage, outgoing: ServerResponse, mode: "pass" | "cut" | "partial"): void {
  const { method, url: path } = incoming;
  // What is changed on its way comes as plain text.
  const headers = mode === "pass" ? incoming.headers : { ...incoming.headers, "accept-encoding": "identity" };
  // A connection of its own for each: one that the server has just closed for idleness would fail for no reason of the test's.
  const onward = request({ host: target.hostname, port: target.port, path, method, headers, agent: false }, (answer) => {
    if (mode === "pass") {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    } else void change(answer, outgoing, mode);
  });
  onward.on("error", () => outgoing.destroy());
  // A page that gives a question up takes it back from the server too.
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}

async function change(answer: IncomingMessage, outgoing: ServerResponse, mode: "cut" | "partial"): Promise<void> {
  const body = Buffer.concat(await answer.toArray());
  const { "content-length": _, ...headers } = answer.headers;
  outgoing.writeHead(answer.statusCode ?? 502, headers);
  if (mode === "cut") {
    outgoing.write(body.subarray(0, Math.floor(body.length * 0.6)));
    // What has come is read before the end of the connection is noticed.
    setTimeout(() => outgoing.destroy(), 500);
    return;
  }
  const isJson = headers["content-type"]?.startsWith("application/json") === true;
  outgoing.end(isJson ? sayPartial(body.toString()) : body);
}

/** The scan of an answer says whether it is everything. */
function sayPartial(text: string): string {
  const body: unknown = JSON.parse(text);
  if (typeof body !== "object" || body === null || !("scan" in body) || typeof body.scan !== "object") return text;
  return JSON.stringify({ ...body, scan: { ...body.scan, partial: true, partialReason: PARTIAL_REASON } });
}
