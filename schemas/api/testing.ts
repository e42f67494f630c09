/** What tests of several packages say of a trace that has everything. */
import type { Completeness } from "./traces.ts";

export const COMPLETE: Completeness = {
  complete: true,
  rootCount: 1,
  orphanCount: 0,
  missingParentIds: [],
  missingParentCount: 0,
  cycleCount: 0,
  duplicateCount: 0,
  conflictCount: 0,
  skewedCount: 0,
};
