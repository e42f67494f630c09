/**
 * Which rows the waterfall shows: the trace in pre-order, less what is folded. A shown line is a number: a span's row (0 and
 * up), or ~kin (below 0) for a group of alike siblings that stands for all its members.
 *
 *   spans  0 GET /cart > 1..6 SELECT (six alike), 7 render       lines, group closed   0 | ~kin x6 | 7
 *                                                                lines, group open     0 | ~kin x6 | 1 2 3 4 5 6 (one deeper) | 7
 */
import type { AlikeSiblings } from "./groups.ts";
import type { TraceModel } from "./model.ts";

const AS_LEVEL = 0;
const FOLDED = 1;
const OPEN = 2;

/** What the reader has folded: a level for everything, and the rows and groups that differ from it. */
export class FoldState {
  /** Rows at this depth and below are folded unless opened by hand; Infinity folds none. */
  level = Infinity;
  /** False shows every sibling on a line of its own. */
  groupsAlike = true;
  /** The row whose subtree is shown, -1 for the whole trace. */
  root = -1;
  #rows = new Uint8Array(0);
  readonly #openKins = new Set<number>();

  isFolded(row: number, depth: number): boolean {
    const own = this.#rows[row] ?? AS_LEVEL;
    return own === AS_LEVEL ? depth >= this.level : own === FOLDED;
  }

  /** What the level says anyway is nothing to remember. */
  setFolded(row: number, depth: number, folded: boolean): void {
    if (row >= this.#rows.length) {
      const longer = new Uint8Array(Math.max(1024, 2 * (row + 1)));
      longer.set(this.#rows);
      this.#rows = longer;
    }
    this.#rows[row] = folded === depth >= this.level ? AS_LEVEL : folded ? FOLDED : OPEN;
  }

  isKinOpen(kin: number): boolean {
    return this.#openKins.has(kin);
  }

  setKinOpen(kin: number, open: boolean): void {
    if (open) this.#openKins.add(kin);
    else this.#openKins.delete(kin);
  }

  /** Folds everything at this depth and below; what was folded or opened by hand is forgotten. */
  foldTo(level: number): void {
    this.level = level;
    this.#rows.fill(AS_LEVEL);
    this.#openKins.clear();
  }

  /** Rows folded or opened by hand, for the address. */
  *rowsByHand(): Generator<{ row: number; folded: boolean }> {
    for (let row = 0; row < this.#rows.length; row++) {
      if (this.#rows[row] !== AS_LEVEL) yield { row, folded: this.#rows[row] === FOLDED };
    }
  }

  openKins(): readonly number[] {
    return [...this.#openKins];
  }
}

export interface VisibleRows {
  readonly count: number;
  /** Span row, or ~kin. */
  readonly lines: Int32Array;
  /** Levels below the shown root. */
  readonly depths: Uint32Array;
}

/** The list that is shown. One pass over what is visible; a folded subtree costs one addition. */
export function buildVisibleRows(model: TraceModel, alike: AlikeSiblings, folds: FoldState): VisibleRows {
  return new VisibleBuilder(model, alike, folds).build();
}

class VisibleBuilder {
  readonly #model: TraceModel;
  readonly #alike: AlikeSiblings;
  readonly #folds: FoldState;
  #lines: Int32Array;
  #depths: Uint32Array;
  #count = 0;
  /** Open groups whose members are being listed: the next member, the row to go on with afterwards, and its end. */
  readonly #outer: { nextMember: number; resumeAt: number; end: number }[] = [];

  constructor(model: TraceModel, alike: AlikeSiblings, folds: FoldState) {
    this.#model = model;
    this.#alike = alike;
    this.#folds = folds;
    this.#lines = new Int32Array(model.rowCount + 16);
    this.#depths = new Uint32Array(model.rowCount + 16);
  }

  build(): VisibleRows {
    const { size, depth, rowCount } = this.#model;
    const root = this.#folds.root;
    let row = root < 0 ? 0 : root;
    let end = root < 0 ? rowCount : root + (size[root] ?? 1);
    const baseDepth = root < 0 ? 0 : (depth[root] ?? 0);
    // The one row that is shown although it belongs to a group: the root, or the member being listed.
    let memberAllowed = root;
    for (;;) {
      if (row >= end) {
        const outer = this.#outer.at(-1);
        if (outer === undefined) break;
        if (outer.nextMember >= 0) {
          row = outer.nextMember;
          end = row + (size[row] ?? 1);
          memberAllowed = row;
          outer.nextMember = this.#alike.nextAlike(row);
        } else {
          this.#outer.pop();
          row = outer.resumeAt;
          end = outer.end;
          memberAllowed = -1;
        }
        continue;
      }
      const rowDepth = depth[row] ?? 0;
      const shownDepth = rowDepth - baseDepth + this.#outer.length;
      if (row !== memberAllowed && this.#folds.groupsAlike) {
        const kin = this.#alike.kinOf(row);
        if (this.#alike.isGroup(kin)) {
          const after = row + (size[row] ?? 1);
          if (this.#alike.firstOf(kin) === row) {
            this.#push(~kin, shownDepth);
            if (this.#folds.isKinOpen(kin)) {
              this.#outer.push({ nextMember: row, resumeAt: after, end });
              row = end;
              end = row;
              continue;
            }
          }
          row = after;
          continue;
        }
      }
      this.#push(row, shownDepth);
      row += this.#folds.isFolded(row, rowDepth) ? (size[row] ?? 1) : 1;
    }
    return { count: this.#count, lines: this.#lines, depths: this.#depths };
  }

  #push(line: number, depth: number): void {
    if (this.#count === this.#lines.length) {
      const lines = new Int32Array(2 * this.#count);
      lines.set(this.#lines);
      this.#lines = lines;
      const depths = new Uint32Array(2 * this.#count);
      depths.set(this.#depths);
      this.#depths = depths;
    }
    this.#lines[this.#count] = line;
    this.#depths[this.#count] = depth;
    this.#count++;
  }
}

/** Opens whatever hides the row: folded ancestors, closed groups, another root. */
export function revealRow(model: TraceModel, alike: AlikeSiblings, folds: FoldState, row: number): void {
  const { parent, depth, size } = model;
  if (folds.root >= 0 && (row < folds.root || row >= folds.root + (size[folds.root] ?? 1))) folds.root = -1;
  for (let at = row; at >= 0; at = parent[at] ?? -1) {
    if (at !== row && folds.isFolded(at, depth[at] ?? 0)) folds.setFolded(at, depth[at] ?? 0, false);
    const kin = alike.kinOf(at);
    if (at !== folds.root && alike.isGroup(kin)) folds.setKinOpen(kin, true);
    if (at === folds.root) break;
  }
}

/** Where a span's row is shown, -1 where it is hidden. */
export function findShownRow(rows: VisibleRows, row: number): number {
  return rows.lines.subarray(0, rows.count).indexOf(row);
}
