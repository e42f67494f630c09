/**
 * Named pipes through which the engine writes an answer (`INTO OUTFILE`) while it is being sent on: a large SELECT is never held whole,
 * and a slow client holds its query back instead of filling memory. chDB's own streaming call starts a query on the calling thread
 * (a scalar sub-query of 0.6 s stopped the whole server for 0.6 s); a pipe is written by the thread that runs the query.
 */
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";

export interface Fifo {
  readonly path: string;
}

export interface FifoReader {
  readonly stream: Socket;
  /**
   * The writer is done (its call has settled, well or not): the stream ends once everything written has been read. The stream must
   * be read to its end, else the pipe would hand the rest to its next user.
   */
  readonly finish: () => void;
}

/** One pipe per statement that may stream at a time. The directory must be empty. */
export class FifoPool {
  readonly #free: Fifo[];

  constructor(dir: string, count: number) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#free = Array.from({ length: count }, (_, i) => ({ path: join(dir, `pipe-${i}`) }));
    // Node cannot make a pipe with a name; mkfifo is in coreutils and in macOS.
    execFileSync("mkfifo", ["-m", "600", ...this.#free.map((fifo) => fifo.path)]);
  }

  take(): Fifo {
    const fifo = this.#free.pop();
    if (fifo === undefined)
      throw new Error("more statements stream than there are pipes: the read gate must be as narrow as the pool");
    return fifo;
  }

  give(fifo: Fifo): void {
    this.#free.push(fifo);
  }
}

/**
 * Opens both ends: the writing end of our own keeps the stream from ending before the engine has opened the pipe, or when it never does.
 */
export function openFifo(fifo: Fifo): FifoReader {
  const stream = new Socket({
    fd: openSync(fifo.path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  const keeper = openSync(fifo.path, constants.O_WRONLY | constants.O_NONBLOCK);
  return { stream, finish: () => closeSync(keeper) };
}
