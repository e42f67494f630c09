/** A real HTTP proxy between the page and its server, to be told how to fail. Only `/api/` fails: the page itself stays. */
import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";

/** pass: as the server answers; down: the connection is cut; broken: an answer in HTML, as a load balancer's; hanging: no answer. */
export type ProxyMode = "pass" | "down" | "broken" | "hanging";

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
    else if (mode === "pass") forward(target, incoming, outgoing);
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

function forward(target: URL, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, headers, url: path } = incoming;
  // A connection of its own for each: one that the server has just closed for idleness would fail for no reason of the test's.
  const onward = request({ host: target.hostname, port: target.port, path, method, headers, agent: false }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on("error", () => outgoing.destroy());
  // A page that gives a question up takes it back from the server too.
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}
