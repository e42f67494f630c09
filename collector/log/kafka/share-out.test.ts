import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { shareOut, type GroupMemberState } from "./share-out.ts";

const state = (memberId: string, owned: number[], generationId = 1): GroupMemberState => ({ memberId, owned, generationId });

test("a member that joins gets what another lets go of, one round later", () => {
  const first = shareOut([state("a", [0, 1]), state("b", [2, 3]), state("c", [4, 5]), state("d", [])], 6);
  assert.deepEqual(Object.fromEntries(first), { a: [0, 1], b: [2, 3], c: [4], d: [] });
  const second = shareOut(
    [...first].map(([id, owned]) => state(id, owned)),
    6,
  );
  assert.deepEqual(Object.fromEntries(second), { a: [0, 1], b: [2, 3], c: [4], d: [5] });
});

test("of two that claim a partition the later one has it", () => {
  const shared = shareOut([state("late", [0, 1], 7), state("early", [1, 2], 3)], 4);
  assert.deepEqual(shared.get("late")?.includes(1), true);
  assert.deepEqual(shared.get("early")?.includes(1), false);
});

test("whatever members have, two rounds share everything out evenly and a third changes nothing", () => {
  const anyMembers = fc.array(fc.tuple(fc.array(fc.nat(15), { maxLength: 8 }), fc.nat(3)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(anyMembers, fc.integer({ min: 1, max: 12 }), (given, partitionCount) => {
      const start = given.map(([owned, generationId], index) => state(`m${index}`, owned, generationId));
      const rounds = [shareOut(start, partitionCount)];
      for (let round = 0; round < 2; round += 1) {
        rounds.push(
          shareOut(
            [...(rounds.at(-1) ?? [])].map(([id, owned]) => state(id, owned)),
            partitionCount,
          ),
        );
      }
      const [first, second, third] = rounds.map((round) => Object.fromEntries(round));
      assert.ok(first !== undefined && second !== undefined);
      // No partition goes from one to another within a round.
      const held = new Map(start.flatMap(({ memberId, owned }) => owned.map((partition) => [partition, memberId] as const)));
      for (const [id, partitions] of Object.entries(first)) {
        for (const partition of partitions) {
          assert.ok(!held.has(partition) || start.some((member) => member.memberId === id && member.owned.includes(partition)));
        }
      }
      const counts = Object.values(second).map((partitions) => partitions.length);
      assert.equal(new Set(Object.values(second).flat()).size, partitionCount);
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        partitionCount,
      );
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
      assert.deepEqual(third, second);
    }),
  );
});
