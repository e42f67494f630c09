/** How many spans arrive. Pure. */
export class ArrivalRate {
  #second = 0;
  #count = 0;
  #countBefore = 0;

  add(count: number, nowMs: number): void {
    this.#moveTo(nowMs);
    this.#count += count;
  }

  /** Of the second that has begun or the full one before it, whichever has more. */
  perSecond(nowMs: number): number {
    this.#moveTo(nowMs);
    return Math.max(this.#count, this.#countBefore);
  }

  #moveTo(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#countBefore = second === this.#second + 1 ? this.#count : 0;
    this.#count = 0;
    this.#second = second;
  }
}
