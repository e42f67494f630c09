/**
 * The waterfall's state in the address: `?span&t0&t1&v&f&open&root&show&adj`. Times are nanoseconds from the trace's start. `open` lists
 * folds, comma-separated: `l3` everything at depth 3 and below is folded, `g0` alike siblings are not grouped, `-ab12cd34` the span
 * whose id starts so is folded, `ab12cd34` it is opened, `xab12cd34` the group that it is the first member of is open.
 */
import { findSpan } from "./find.ts";
import type { AlikeSiblings } from "./groups.ts";
import type { TraceModel } from "./model.ts";
import type { FoldState } from "./rows.ts";
import type { TimeWindow } from "./window.ts";

/** Four bytes of an id tell the spans of a trace apart well enough for a fold. */
const ID_DIGITS = 8;
/** An address of more than this many folds would be cut by mail and chat programs. */
const FOLD_COUNT_MAX = 60;

const FOLD_ITEM = /^(?:l(?<level>\d{1,4})|(?<ungrouped>g0)|(?<mark>[-x]?)(?<id>[0-9a-f]{8}))$/;

export type FoldItem =
  | { readonly type: "level"; readonly level: number }
  | { readonly type: "ungrouped" }
  | { readonly type: "folded" | "opened" | "groupOpen"; readonly id: string };

/** What the text says; parts that say nothing are left out. */
export function parseFolds(text: string | null): FoldItem[] {
  const items: FoldItem[] = [];
  for (const part of (text ?? "").split(",").slice(0, 2 * FOLD_COUNT_MAX)) {
    const groups = FOLD_ITEM.exec(part)?.groups;
    if (groups === undefined) continue;
    if (groups["level"] !== undefined) items.push({ type: "level", level: Number(groups["level"]) });
    else if (groups["ungrouped"] !== undefined) items.push({ type: "ungrouped" });
    else {
      const type = groups["mark"] === "-" ? "folded" : groups["mark"] === "x" ? "groupOpen" : "opened";
      items.push({ type, id: groups["id"] ?? "" });
    }
  }
  return items;
}

/** Carries out the items whose spans have arrived; returns the others, to be tried again when more has. */
export function applyFolds(items: readonly FoldItem[], model: TraceModel, alike: AlikeSiblings, folds: FoldState): FoldItem[] {
  const waiting: FoldItem[] = [];
  for (const item of items) {
    if (item.type === "level") folds.level = item.level;
    else if (item.type === "ungrouped") folds.groupsAlike = false;
    else {
      const row = findSpan(model, item.id);
      if (row < 0) waiting.push(item);
      else if (item.type === "groupOpen") folds.setKinOpen(alike.kinOf(row), true);
      else folds.setFolded(row, model.depth[row] ?? 0, item.type === "folded");
    }
  }
  return waiting;
}

/** The folds as text; only the first FOLD_COUNT_MAX made by hand. */
export function formatFolds(model: TraceModel, alike: AlikeSiblings, folds: FoldState): string {
  const parts: string[] = [];
  if (Number.isFinite(folds.level)) parts.push(`l${folds.level}`);
  if (!folds.groupsAlike) parts.push("g0");
  const idOf = (row: number): string => model.spanIdOf(row).slice(0, ID_DIGITS);
  for (const kin of folds.openKins()) {
    if (parts.length >= FOLD_COUNT_MAX) break;
    parts.push(`x${idOf(alike.firstOf(kin))}`);
  }
  for (const { row, folded } of folds.rowsByHand()) {
    if (parts.length >= FOLD_COUNT_MAX) break;
    parts.push(`${folded ? "-" : ""}${idOf(row)}`);
  }
  return parts.join(",");
}

/** The zoom window, null where the address names none or an impossible one. */
export function parseWindow(t0: string | null, t1: string | null): TimeWindow | null {
  if (t0 === null || t1 === null || t0 === "" || t1 === "") return null;
  const window = { t0: Number(t0), t1: Number(t1) };
  return Number.isFinite(window.t0) && Number.isFinite(window.t1) && window.t0 >= 0 && window.t1 > window.t0 ? window : null;
}

/** What is laid over the waterfall. */
export interface Shown {
  /** Critical path. */
  path: boolean;
  /** Time of a span that no child covers. */
  gaps: boolean;
  /** Arcs of span links. */
  links: boolean;
  /** Idle time is compressed. */
  idle: boolean;
}

/** `show=path,gaps,idle,nolinks`: what differs from the plain waterfall, which has its links. */
export function parseShown(text: string | null): Shown {
  const words = new Set((text ?? "").split(","));
  return { path: words.has("path"), gaps: words.has("gaps"), links: !words.has("nolinks"), idle: words.has("idle") };
}

export function formatShown({ path, gaps, links, idle }: Shown): string {
  return [path && "path", gaps && "gaps", idle && "idle", !links && "nolinks"].filter((word) => word !== false).join(",");
}

export const VIEWS = ["waterfall", "flame", "graph", "statistics", "raw"] as const;
export type View = (typeof VIEWS)[number];

export function parseView(text: string | null): View {
  return VIEWS.find((view) => view === text) ?? "waterfall";
}

/** `names=<percent>`: the share of the waterfall's width that its names take; null for anything that would leave one side no room. */
export function parseNameShare(text: string | null): number | null {
  const percent = Number(text ?? "NaN");
  return Number.isInteger(percent) && percent >= 12 && percent <= 75 ? percent / 100 : null;
}
