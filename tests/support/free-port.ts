/** Ports on loopback for servers of other projects, which have to be told one. */
import { createServer } from "node:net";

/** Below the range that outgoing connections take their ports from: a port is still free when a server that was killed comes back. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
