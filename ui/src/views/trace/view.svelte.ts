/** What the trace page shows and what the reader has done to it. The parts below it read and call this one object. */
import type { Problem } from "@callchain/schemas/api/common.ts";
import type { SkeletonStart } from "@callchain/schemas/api/skeleton.ts";
import { applyFolds, parseFolds, type FoldItem } from "../../lib/trace/address.ts";
import { TimeAxis } from "../../lib/trace/axis.ts";
import { buildCriticalPath, type PathSegment } from "../../lib/trace/critical-path.ts";
import { findNext, findSpan, findText } from "../../lib/trace/find.ts";
import { AlikeSiblings, summariseGroup, type GroupSummary } from "../../lib/trace/groups.ts";
import { TraceModel } from "../../lib/trace/model.ts";
import { buildVisibleRows, findShownRow, FoldState, revealRow, type VisibleRows } from "../../lib/trace/rows.ts";
import {
  clampWindow,
  isWholeTrace,
  panIntoView,
  panWindow,
  windowAround,
  zoomWindow,
  type TimeWindow,
} from "../../lib/trace/window.ts";
import { loadTrace, type TraceLoading } from "../../state/trace-loading.ts";
import { axisOf, ClockAdjustment, Overlays } from "./overlays.svelte.ts";
import { NOTHING_WANTED, type Wanted } from "./wanted.ts";
import { openedFile } from "../../state/opened-file.svelte.ts";
import type { SkeletonMessage } from "./skeleton-worker.ts";

const NO_ROWS: VisibleRows = { count: 0, lines: new Int32Array(0), depths: new Uint32Array(0) };

export class TraceView {
  head = $state.raw<SkeletonStart | null>(null);
  problem = $state.raw<Problem | null>(null);
  isComplete = $state(false);
  /** Grows whenever rows arrive. */
  revision = $state(0);
  visible = $state.raw<VisibleRows>(NO_ROWS);
  window = $state.raw<TimeWindow>({ t0: 0, t1: 1 });
  /** The line that has the focus: a row, or ~kin. */
  active = $state(0);
  dockIsOpen = $state(false);
  text = $state("");
  /** Where instants are drawn: as they are, or with idle time compressed. `window` is in its shown time. */
  axis = $state.raw(new TimeAxis(1));
  /** Raised to ask the waterfall to bring the active line into view. */
  revealCount = $state(0);
  /** Changes with every fold, for the address. */
  foldCount = $state(0);

  model: TraceModel | null = null;
  alike: AlikeSiblings | null = null;
  folds = new FoldState();
  readonly overlays = new Overlays();
  readonly clocks = new ClockAdjustment(this);
  /** As asked of the server: which spans a trace too large to be read whole comes with. */
  askedSpanId: string | null = null;
  #loading: TraceLoading | undefined;
  /** What of the address is still to be carried out. */
  #wishes: Wanted = NOTHING_WANTED;
  #waitingFolds: FoldItem[] = [];
  #summaries = new Map<number, GroupSummary>();

  readonly found = $derived.by(() => {
    void this.revision;
    return this.model === null ? null : findText(this.model, this.text);
  });

  /** Known once the whole trace has arrived: with half of it the path would be another. */
  readonly path = $derived.by((): readonly PathSegment[] => {
    void this.revision;
    return this.model !== null && this.isComplete ? buildCriticalPath(this.model) : [];
  });

  readonly pathByRow = $derived.by(() => {
    const byRow = new Map<number, PathSegment[]>();
    for (const segment of this.path) {
      const segments = byRow.get(segment.row);
      if (segments === undefined) byRow.set(segment.row, [segment]);
      else segments.push(segment);
    }
    return byRow;
  });

  readonly activeRow = $derived.by(() => {
    void this.revision;
    if (this.active >= 0) return this.model !== null && this.active < this.model.rowCount ? this.active : -1;
    return this.alike?.firstOf(~this.active) ?? -1;
  });

  /** Loads a trace; returns the function that gives it up. */
  load(traceId: string, wanted: Wanted): () => void {
    this.#reset(wanted);
    // A trace of the opened file comes from there, any other from the server.
    const loading = loadTrace(traceId, wanted.spanId, openedFile.mayHave(traceId) ? openedFile.framesOf(traceId) : null);
    this.#loading = loading;
    this.askedSpanId = loading.spanId;
    loading.listen((message) => {
      if (this.#loading === loading) this.#take(message);
    });
    return () => {
      loading.stop();
      if (this.#loading === loading) this.#loading = undefined;
    };
  }

  #reset(wanted: Wanted): void {
    this.head = null;
    this.problem = null;
    this.isComplete = false;
    this.visible = NO_ROWS;
    this.active = 0;
    this.dockIsOpen = wanted.spanId !== null;
    this.text = wanted.text;
    this.model = null;
    this.alike = null;
    this.folds = new FoldState();
    this.#summaries = new Map();
    this.clocks.reset();
    this.overlays.read(wanted.shown);
    this.#waitingFolds = parseFolds(wanted.folds);
    this.#wishes = wanted;
    this.revision++;
  }

  #take(message: SkeletonMessage): void {
    if (message.type === "failed") return this.#fail(message.problem);
    if (message.type === "start") {
      this.model = new TraceModel(message.start);
      this.alike = new AlikeSiblings(this.model);
      this.head = message.start;
      this.axis = axisOf(this.model, false);
      this.window = clampWindow(this.#wishes.window ?? { t0: 0, t1: this.model.endNano }, this.model.endNano);
      return;
    }
    if (message.type === "done") {
      this.isComplete = true;
      this.#wishes = { ...this.#wishes, spanId: null };
      this.#loading?.stop();
      if (this.overlays.idle) this.#changeAxis();
      if (this.#wishes.isAdjusted && this.head !== null) void this.clocks.turnOn(this.head.traceId);
      return;
    }
    if (this.model === null || this.alike === null) return;
    const wasWhole = isWholeTrace(this.window, this.model.endNano);
    try {
      this.model.append(message.chunk);
    } catch (error) {
      this.#loading?.stop();
      this.#fail({ type: "about:blank", title: "", status: 0, detail: error instanceof Error ? error.message : String(error) });
      return;
    }
    this.alike.update();
    this.#summaries.clear();
    this.axis = axisOf(this.model, false);
    if (wasWhole && this.#wishes.window === null) this.window = { t0: 0, t1: this.model.endNano };
    this.#carryOutWishes(this.model, this.alike);
    this.revision++;
    this.#rebuild();
  }

  #fail(problem: Problem): void {
    this.problem = problem;
    this.isComplete = true;
  }

  #carryOutWishes(model: TraceModel, alike: AlikeSiblings): void {
    if (this.#waitingFolds.length > 0) this.#waitingFolds = applyFolds(this.#waitingFolds, model, alike, this.folds);
    const { rootId, spanId } = this.#wishes;
    const root = rootId === null ? -1 : findSpan(model, rootId);
    if (root >= 0) {
      this.folds.root = root;
      this.active = root;
      this.#wishes = { ...this.#wishes, rootId: null };
    }
    if (spanId !== null && this.showSpan(spanId)) this.#wishes = { ...this.#wishes, spanId: null };
  }

  #rebuild(): void {
    if (this.model !== null && this.alike !== null) this.visible = buildVisibleRows(this.model, this.alike, this.folds);
  }

  #folded(): void {
    this.foldCount++;
    this.#rebuild();
    if (this.activeIndex() < 0) this.#activateNearest();
    this.revealCount++;
  }

  /** Where the active line is shown, -1 where it is hidden. */
  activeIndex(): number {
    return findShownRow(this.visible, this.active);
  }

  /** After a fold that hid it, the nearest shown ancestor takes the focus. */
  #activateNearest(): void {
    const { model, alike } = this;
    if (model === null || alike === null) return;
    for (let row = this.activeRow; row >= 0; row = model.parent[row] ?? -1) {
      for (const line of [row, ~alike.kinOf(row)]) {
        if (findShownRow(this.visible, line) >= 0) {
          this.active = line;
          return;
        }
      }
    }
    this.active = this.visible.lines[0] ?? 0;
  }

  /** Makes a row the active line, opening whatever hides it. */
  showRow(row: number): void {
    if (this.model === null || this.alike === null || row < 0) return;
    if (findShownRow(this.visible, row) < 0) {
      revealRow(this.model, this.alike, this.folds, row);
      this.foldCount++;
      this.#rebuild();
    }
    this.active = row;
    const { t0, t1 } = this.#shownOf(this.model, row);
    this.window = panIntoView(this.window, t0, t1 - t0, this.axis.endShown);
    this.revealCount++;
  }

  /** As showRow; false where no such span has arrived. */
  showSpan(spanId: string): boolean {
    const row = this.model === null ? -1 : findSpan(this.model, spanId);
    if (row < 0) return false;
    this.showRow(row);
    return true;
  }

  move(by: number): void {
    this.moveTo(Math.max(0, this.activeIndex()) + by);
  }

  moveTo(index: number): void {
    const at = Math.min(this.visible.count - 1, Math.max(0, index));
    this.active = this.visible.lines[at] ?? 0;
    this.revealCount++;
  }

  canFold(line: number): boolean {
    return line < 0 || (this.model?.hasChildren(line) ?? false);
  }

  isOpen(line: number): boolean {
    void this.foldCount;
    return line < 0 ? this.folds.isKinOpen(~line) : !this.folds.isFolded(line, this.model?.depth[line] ?? 0);
  }

  setOpen(line: number, open: boolean): void {
    if (line < 0) this.folds.setKinOpen(~line, open);
    else this.folds.setFolded(line, this.model?.depth[line] ?? 0, !open);
    this.#folded();
  }

  /** Right: opens, then goes to the first child. */
  stepIn(): void {
    if (this.canFold(this.active) && !this.isOpen(this.active)) this.setOpen(this.active, true);
    else if (this.canFold(this.active)) this.move(1);
  }

  /** Left: folds, then goes to the parent. */
  stepOut(): void {
    if (this.canFold(this.active) && this.isOpen(this.active)) {
      this.setOpen(this.active, false);
      return;
    }
    const index = this.activeIndex();
    const depth = this.visible.depths[index] ?? 0;
    for (let at = index - 1; at >= 0; at--) {
      if ((this.visible.depths[at] ?? 0) < depth) return this.moveTo(at);
    }
  }

  /** Infinity opens everything but groups. */
  foldTo(level: number): void {
    this.folds.foldTo(Math.max(1, level));
    this.#folded();
  }

  /** One level more or less than is shown now. */
  changeLevel(by: number): void {
    // What is deepest has nothing to fold.
    const deepest = this.model?.depthMax ?? 0;
    const level = Math.min(this.folds.level, deepest) + by;
    this.foldTo(level >= deepest ? Infinity : level);
  }

  toggleGroups(): void {
    this.folds.groupsAlike = !this.folds.groupsAlike;
    this.#folded();
  }

  resetRoot(): void {
    this.folds.root = -1;
    this.zoomToAll();
    this.#folded();
  }

  /** Shows the subtree of the active span alone, or the whole trace again. */
  toggleRoot(): void {
    const row = this.activeRow;
    if (row < 0 || this.model === null) return;
    this.folds.root = this.folds.root === row ? -1 : row;
    this.active = row;
    if (this.folds.root < 0) this.zoomToAll();
    else this.zoomToActive();
    this.#folded();
  }

  setWindow(window: TimeWindow): void {
    if (this.model !== null) this.window = clampWindow(window, this.axis.endShown);
  }

  zoom(factor: number, anchor = 0.5): void {
    if (this.model !== null) this.window = zoomWindow(this.window, anchor, factor, this.axis.endShown);
  }

  pan(share: number): void {
    if (this.model !== null) this.window = panWindow(this.window, share, this.axis.endShown);
  }

  zoomToAll(): void {
    if (this.model !== null) this.window = { t0: 0, t1: this.axis.endShown };
  }

  zoomToActive(): void {
    const row = this.activeRow;
    if (this.model === null || row < 0) return;
    const { t0, t1 } = this.#shownOf(this.model, row);
    this.window = windowAround(t0, t1 - t0, this.axis.endShown);
  }

  #shownOf(model: TraceModel, row: number): TimeWindow {
    const start = model.start[row] ?? 0;
    return this.axis.windowToShown({ t0: start, t1: start + (model.duration[row] ?? 0) });
  }

  goToError(forward: boolean): void {
    const { model } = this;
    if (model !== null) this.showRow(findNext(model.rowCount, this.activeRow, forward, (row) => model.isError(row)));
  }

  goToMatch(forward: boolean): void {
    const { model, found } = this;
    if (model !== null && found !== null) {
      this.showRow(findNext(model.rowCount, this.activeRow, forward, (row) => found.matches[row] === 1));
    }
  }

  /** The starts were moved: whatever was derived from them is out of date. */
  startsMoved(): void {
    this.#summaries.clear();
    this.revision++;
    if (this.overlays.idle) this.#changeAxis();
  }

  toggleIdle(): void {
    this.overlays.idle = !this.overlays.idle;
    this.#changeAxis();
  }

  /** Keeps the instants that are in view. */
  #changeAxis(): void {
    if (this.model === null) return;
    const wasWhole = isWholeTrace(this.window, this.axis.endShown);
    const instants = this.axis.windowToNano(this.window);
    this.axis = axisOf(this.model, this.overlays.idle);
    if (wasWhole) this.zoomToAll();
    else this.setWindow(this.axis.windowToShown(instants));
  }

  summaryOf(kin: number): GroupSummary | null {
    if (this.model === null || this.alike === null) return null;
    let summary = this.#summaries.get(kin);
    if (summary === undefined) {
      summary = summariseGroup(this.model, this.alike.membersOf(kin));
      this.#summaries.set(kin, summary);
    }
    return summary;
  }
}
