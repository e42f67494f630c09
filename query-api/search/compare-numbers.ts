/** Comparisons of numbers in memory. */
import type { Comparison } from "./query.ts";

/** NaN compares with nothing. Exact as long as the numbers are below 2^53, as durations are up to 104 days. */
export function compareNumbers(left: number, comparison: Comparison, right: number): boolean {
  switch (comparison) {
    case "=":
      return left === right;
    case "!=":
      return left !== right && !Number.isNaN(left) && !Number.isNaN(right);
    case ">":
      return left > right;
    case ">=":
      return left >= right;
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    default:
      return false;
  }
}
