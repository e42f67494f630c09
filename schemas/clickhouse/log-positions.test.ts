import assert from "node:assert/strict";
import { it } from "node:test";
import { positionsBefore, positionsBetween, positionsFrom } from "./log-positions.ts";

it("names places in the log as ranges", () => {
  assert.equal(positionsFrom(new Map()), "((1))");
  assert.equal(
    positionsFrom(
      new Map([
        [7, 5n],
        [3, 42n],
      ]),
    ),
    "((log_partition < 3) OR (log_partition = 3 AND log_offset >= 42) OR (log_partition > 3 AND log_partition < 7)" +
      " OR (log_partition = 7 AND log_offset >= 5) OR (log_partition > 7 AND 1))",
  );
  assert.equal(positionsBefore(new Map()), "0");
  assert.equal(
    positionsBetween(
      new Map([
        [1, 3n],
        [2, 4n],
      ]),
      new Map([
        [1, 5n],
        [9, 2n],
      ]),
    ),
    "((log_partition = 1 AND log_offset >= 3 AND log_offset < 5) OR (log_partition = 9 AND log_offset >= 0 AND log_offset < 2))",
  );
});
