/** The HTTP/2 sessions of the gRPC port: reading calls, cutting off the slow and the idle, stopping. */
import { constants, type Http2Server, type Http2Session, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { MessageReader } from "./grpc-wire.ts";

const IDLE_MS = 15 * 60_000;
const SESSION_WINDOW_BYTES = 16 * 1024 * 1024;
/** NGHTTP2_ERR_BAD_CLIENT_MAGIC (nghttp2.h), which Node's constants leave out. */
const BAD_CLIENT_MAGIC = -903;
const STOP_MAX_MS = 10_000;

interface SessionState {
  openStreamCount: number;
  hasServed: boolean;
  sinceMs: number;
}

export class GrpcSessions {
  readonly #server: Http2Server;
  readonly #slowMs: number;
  readonly #sessions = new Map<Http2Session, SessionState>();
  /** Calls that are being read, with when they began. */
  readonly #reading = new Map<ServerHttp2Stream, number>();
  readonly #sweeper: NodeJS.Timeout;
  readonly #closed: Promise<void>;
  isStopping = false;

  /**
   * A call that is not read whole after `slowMs`, and a session that never made one, is ended. `onProtocolError` is told of
   * connections that are no HTTP/2.
   */
  constructor(server: Http2Server, slowMs: number, onProtocolError: (reason: string) => void) {
    this.#server = server;
    this.#slowMs = slowMs;
    server.on("session", (session) => this.#open(session));
    server.on("stream", (stream) => this.#count(stream));
    server.on("sessionError", (error: Error) => {
      if ("errno" in error && error.errno === BAD_CLIENT_MAGIC) {
        onProtocolError("the bytes are not HTTP/2; OTLP/HTTP has a port of its own, by default 4318");
      }
    });
    // Without a listener a connection that is refused at the cap, or reset early, would end the process.
    server.on("clientError", (_error: Error, socket: Socket) => socket.destroy());
    this.#sweeper = setInterval(() => this.#sweep(), slowMs / 10).unref();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    server.on("close", resolve);
  }

  /** Reads a call's bytes to their end. False where the sender went away; rejects with what the reader throws. */
  read(stream: ServerHttp2Stream, reader: MessageReader): Promise<boolean> {
    this.#reading.set(stream, Date.now());
    return new Promise((resolve, reject) => {
      stream.on("data", (chunk: Buffer) => {
        try {
          reader.push(chunk);
        } catch (error) {
          stream.removeAllListeners("data");
          this.#reading.delete(stream);
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
      stream.once("end", () => {
        this.#reading.delete(stream);
        resolve(!stream.aborted && !stream.destroyed);
      });
      stream.once("close", () => {
        this.#reading.delete(stream);
        resolve(false);
      });
    });
  }

  /** Reads a call's bytes to their end and keeps none. */
  discard(stream: ServerHttp2Stream): Promise<void> {
    this.#reading.set(stream, Date.now());
    return new Promise((resolve) => {
      const end = (): void => {
        this.#reading.delete(stream);
        resolve();
      };
      stream.once("end", end);
      stream.once("close", end);
      stream.resume();
    });
  }

  /** Stops accepting, lets the calls in flight finish, and cuts what is still open after ten seconds. */
  async stop(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.#sweeper);
    this.#server.close();
    for (const session of this.#sessions.keys()) session.close();
    const cut = setTimeout(() => {
      for (const session of this.#sessions.keys()) session.destroy();
    }, STOP_MAX_MS);
    await this.#closed;
    clearTimeout(cut);
  }

  #open(session: ServerHttp2Session): void {
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    this.#sessions.set(session, { openStreamCount: 0, hasServed: false, sinceMs: Date.now() });
    // The server hears of it as "sessionError".
    session.on("error", () => undefined);
    session.once("close", () => this.#sessions.delete(session));
    if (this.isStopping) session.close();
  }

  #count(stream: ServerHttp2Stream): void {
    const { session } = stream;
    const state = session === undefined ? undefined : this.#sessions.get(session);
    if (state === undefined) return;
    state.openStreamCount += 1;
    stream.once("close", () => {
      state.openStreamCount -= 1;
      state.hasServed = true;
      state.sinceMs = Date.now();
    });
  }

  #sweep(): void {
    const now = Date.now();
    for (const [stream, sinceMs] of this.#reading) {
      if (now - sinceMs > this.#slowMs) stream.close(constants.NGHTTP2_CANCEL);
    }
    for (const [session, { openStreamCount, hasServed, sinceMs }] of this.#sessions) {
      if (openStreamCount > 0) continue;
      if (!hasServed && now - sinceMs > this.#slowMs) session.destroy();
      else if (now - sinceMs > IDLE_MS) session.close();
    }
  }
}
