/** Chance that can be repeated: the same seed rolls the same. */
export class Dice {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  /** A whole number from 0 to below `max`. */
  roll(max: number): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((this.#state / 0x80000000) * max);
  }

  shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.roll(1 << 30) }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }
}
