/**
 * How far apart two spans may begin and still belong together. So whoever counts some spans knows where in time their relatives are, and reads
 * no others; and a pair is counted or not whoever counts it, and when.
 *
 *   parent     |-------------------|
 *   child      may begin from SKEW before the parent's start to SKEW after its end, and within REACH of its start
 *   producer   a message may wait for REACH
 */

/** Two hosts' clocks may differ by so much, and a child may begin so long after its parent has ended. */
export const SKEW_MS = 60_000;
/** A parent may have begun so long before its child, a message may have waited so long. */
export const REACH_MS = 3_600_000;
/** So long a parent may have children: one that lasts longer has no more after that. */
export const LINGER_MS = REACH_MS - SKEW_MS;
