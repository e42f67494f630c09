/** Chance that can be repeated: the same seed rolls the same. */
import { Random } from "@callchain/deploy/demo/random.ts";

export class Dice {
  readonly seed: number;
  readonly #random: Random;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = new Random(seed);
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return this.#random.integer(0, count - 1);
  }

  /** True `percent` times of a hundred. */
  chance(percent: number): boolean {
    return this.#random.chance(percent / 100);
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error("nothing to pick from");
    return choice;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.#random.next() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }
}
