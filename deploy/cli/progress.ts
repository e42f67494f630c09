/** A progress line with rate and time left: redrawn on a terminal, a plain line every few seconds elsewhere. */
export class Progress {
  readonly #label: string;
  readonly #unit: string;
  readonly #startMs = Date.now();
  readonly #stream: NodeJS.WriteStream;
  #saidMs = 0;

  constructor(label: string, unit: string, stream: NodeJS.WriteStream = process.stderr) {
    this.#label = label;
    this.#unit = unit;
    this.#stream = stream;
  }

  update(done: number, total: number): void {
    const isLast = done >= total;
    const nowMs = Date.now();
    if (!isLast && nowMs - this.#saidMs < (this.#stream.isTTY ? 100 : 5000)) return;
    this.#saidMs = nowMs;
    const elapsed = Math.max((nowMs - this.#startMs) / 1000, 0.001);
    const rate = done / elapsed;
    const left = isLast ? `in ${elapsed.toFixed(1)} s` : `${Math.ceil((total - done) / Math.max(rate, 0.001))} s left`;
    const line = `${this.#label}: ${done} of ${total} ${this.#unit}, ${Math.round(rate)}/s, ${left}`;
    this.#stream.write(this.#stream.isTTY ? `\r\u001b[2K${line}${isLast ? "\n" : ""}` : `${line}\n`);
  }
}
