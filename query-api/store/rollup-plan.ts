/**
 * Which part of a question the rollups answer, and where the raw spans must. Pure.
 *
 *   range        |---:--------:=================:--------:---|
 *   read from     raw  minutes   hours (or 5 min)  minutes  raw      and everywhere: spans behind the counted ends, from the raw
 */
import { EVERYTHING_TIERS, SERVICE_TIERS } from "@callchain/schemas/clickhouse/rollups.ts";
import { subtractStretches, type Stretch } from "@callchain/schemas/clickhouse/edges/scope.ts";
import { NANO_PER_SECOND, type UnixNano } from "@callchain/schemas/span/time.ts";
import { isServiceName } from "../search/compile-attribute.ts";
import type { Expression, Field, Query } from "../search/query.ts";
import type { GroupField } from "../search/query.ts";
import type { TimeRange } from "./range.ts";

const MINUTE_NANO = 60n * NANO_PER_SECOND;
/** A shorter range is read from the raw spans: there is nothing to save. */
const MINUTES_MIN = 2n;

export interface RollupPlan {
  /** The whole minutes; one stretch, or one on each side of where the range is split. */
  readonly minutes: readonly Stretch[];
  /** The same minutes, each in one of these. */
  readonly parts: readonly TierPart[];
  /** The same as a condition over the columns of a table of rollups: each span is in one of its rows. */
  readonly tiers: string;
}

/** Stretches of `tier` minutes, the first of which begins in minute `from` since 1970 and the last of which ends before minute `to`. */
export interface TierPart {
  readonly tier: number;
  readonly from: number;
  readonly to: number;
}

/** What of a range is one point. */
export type PointsOf =
  | { readonly kind: "all" }
  /** So many nanoseconds since 1970, from a multiple of them on. */
  | { readonly kind: "step"; readonly nano: bigint }
  /** What is before, and what is not. */
  | { readonly kind: "split"; readonly at: UnixNano };

/** null: only the raw spans can answer. */
export function planRollup({ from, to }: TimeRange, points: PointsOf, query: Query, by: GroupField | null): RollupPlan | null {
  const fields = [...fieldsOf(query.expression), ...(by === null ? [] : [by])];
  const stepNano = points.kind === "step" ? points.nano : null;
  if (!fields.every(isCounted) || (stepNano !== null && stepNano % MINUTE_NANO !== 0n)) return null;
  const tiers = fields.some((field) => field.kind === "attribute") ? SERVICE_TIERS : EVERYTHING_TIERS;
  const fitting = tiers.filter((tier) => stepNano === null || stepNano % (BigInt(tier) * MINUTE_NANO) === 0n);
  if (points.kind !== "split") return planMinutes({ from, to }, fitting);
  const sides = [
    { from, to: points.at },
    { from: points.at, to },
  ].flatMap((side) => planMinutes(side, fitting) ?? []);
  if (sides.length === 0) return null;
  return planParts(
    sides.flatMap(({ minutes }) => minutes),
    sides.flatMap(({ parts }) => parts),
  );
}

/** What of the range is not in whole minutes. */
export function outsideOf({ minutes }: RollupPlan, range: TimeRange): Stretch[] {
  return subtractStretches([range], minutes);
}

/** The whole minutes of the range, each in the longest stretch of `tiers` (minutes, shortest first) that lies within; null: there are too few. */
export function planMinutes(range: TimeRange, tiers: readonly number[]): RollupPlan | null {
  const first = (range.from + MINUTE_NANO - 1n) / MINUTE_NANO;
  const end = range.to / MINUTE_NANO;
  if (end - first < MINUTES_MIN) return null;
  return planParts([{ from: first * MINUTE_NANO, to: end * MINUTE_NANO }], coverWith(Number(first), Number(end), tiers));
}

function planParts(minutes: readonly Stretch[], parts: readonly TierPart[]): RollupPlan {
  const conditions = parts.map(({ tier, from, to }) => `(tier = ${tier} AND minute >= ${from} AND minute < ${to})`);
  return { minutes, parts, tiers: `(${conditions.join(" OR ")})` };
}

function coverWith(first: number, end: number, tiers: readonly number[]): TierPart[] {
  const tier = tiers.at(-1);
  if (tier === undefined || first >= end) return [];
  const from = Math.ceil(first / tier) * tier;
  const to = Math.floor(end / tier) * tier;
  const shorter = tiers.slice(0, -1);
  if (from >= to) return coverWith(first, end, shorter);
  return [...coverWith(first, from, shorter), { tier, from, to }, ...coverWith(to, end, shorter)];
}

/** The rollups tell spans apart by it, in columns of the same names as those of the spans. */
function isCounted(field: Field): boolean {
  return field.kind === "intrinsic" ? field.name === "kind" || field.name === "status" : isServiceName(field.scope, field.key);
}

function fieldsOf(expression: Expression | null): Field[] {
  if (expression === null) return [];
  if (expression.kind === "not") return fieldsOf(expression.item);
  // Single spans are compared with what is calculated of them, or known one by one.
  if (expression.kind === "calculate" || expression.kind === "chosen") return [{ kind: "intrinsic", name: "duration" }];
  if (expression.kind !== "compare") return expression.items.flatMap(fieldsOf);
  // Of a service that is compared with what no service is, the SQL asks the attributes.
  const isOther = expression.field.kind === "attribute" && expression.literal.type !== "string";
  return isOther ? [{ kind: "intrinsic", name: "name" }] : [expression.field];
}
