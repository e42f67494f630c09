/**
 * Who of the group reads which partition, under the rules of cooperative rebalancing (KIP-429): a partition that another member still
 * has is given to nobody until it was let go of, which is one round later.
 *
 *   has       A: 0 1   B: 2 3   C: 4 5   D: -
 *   round 1   A: 0 1   B: 2 3   C: 4     D: -      C is to let go of 5
 *   round 2   A: 0 1   B: 2 3   C: 4     D: 5
 *
 * The client's own assignor did not come to rest here: with six partitions and four members it shared out again several times a second
 * and left the fourth with nothing.
 */

export interface GroupMemberState {
  readonly memberId: string;
  /** What it had when it joined this round. */
  readonly owned: readonly number[];
  /** The round in which it was given them; of two that claim a partition the later one has it. */
  readonly generationId: number;
}

/** Partitions by member, as even as can be; members keep what they have as far as that goes. */
export function shareOut(members: readonly GroupMemberState[], partitionCount: number): Map<string, number[]> {
  const owners = ownersOf(members, partitionCount);
  const kept = new Map(
    members.map(({ memberId }) => [memberId, owners.flatMap((id, partition) => (id === memberId ? [partition] : []))]),
  );
  const countOf = (memberId: string): number => kept.get(memberId)?.length ?? 0;
  // Those with most come first: it is they who keep the odd ones.
  const order = members.map(({ memberId }) => memberId).toSorted((a, b) => countOf(b) - countOf(a) || (a < b ? -1 : 1));
  const base = Math.floor(partitionCount / members.length);
  const odd = partitionCount % members.length;
  const free = owners.flatMap((id, partition) => (id === null ? [partition] : []));
  return new Map(
    order.map((memberId, place) => {
      const quota = base + (place < odd ? 1 : 0);
      const own = (kept.get(memberId) ?? []).slice(0, quota);
      return [memberId, [...own, ...free.splice(0, quota - own.length)].toSorted((a, b) => a - b)];
    }),
  );
}

/** The member that has each partition, null where none has. */
function ownersOf(members: readonly GroupMemberState[], partitionCount: number): (string | null)[] {
  const claims = Array.from({ length: partitionCount }, (): GroupMemberState | null => null);
  for (const member of members) {
    for (const partition of member.owned) {
      const other = claims[partition];
      if (other === undefined) continue;
      if (other === null || other.generationId < member.generationId) claims[partition] = member;
    }
  }
  return claims.map((claim) => claim?.memberId ?? null);
}
