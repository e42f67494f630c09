/** Where to begin in a partition, and whether that is still there. */
import { Failure } from "@callchain/schemas/span/errors.ts";

export interface PartitionOffsets {
  /** One past the high-water mark of the rows; 0 where there are none. */
  readonly wanted: bigint;
  /** One past what was released last, -1 where nothing was. Ahead of `wanted` where the newest records gave no rows. */
  readonly committed: bigint;
  /** The first offset that Kafka still has. */
  readonly earliest: bigint;
  /** One past the last offset. */
  readonly latest: bigint;
}

export interface StartOffset {
  readonly offset: bigint;
  /** Offsets that were neither stored nor are still there. */
  readonly lostCount: bigint;
}

/**
 * `max(committed, wanted)`, or where Kafka's retention has passed that, the first offset there is. Throws Failure "internal" where
 * the rows are ahead of the partition: new records would be taken for stored ones.
 */
export function startOffsetOf({ wanted, committed, earliest, latest }: PartitionOffsets): StartOffset {
  if (wanted > latest) {
    throw new Failure(
      "internal",
      `the stored rows end before offset ${wanted}, the partition already at ${latest}: Kafka has lost records that had been ` +
        "acknowledged (an unclean leader election?). Delete and make the topic anew: a new topic is read from its beginning",
    );
  }
  const offset = committed > wanted && committed <= latest ? committed : wanted;
  if (offset >= earliest) return { offset, lostCount: 0n };
  const isFirstRead = wanted === 0n && committed < 0n;
  return { offset: earliest, lostCount: isFirstRead ? 0n : earliest - offset };
}
