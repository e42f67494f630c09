/** The keyboard map of the waterfall, as one table for the handler and the help. */
import type { TextKey } from "../../lib/i18n/dictionary.ts";
import { settings } from "../../state/settings.svelte.ts";
import { isFree, isSingleCharacter } from "../../state/shortcuts.ts";
import type { TraceView } from "./view.svelte.ts";

const PAGE_ROWS = 20;
const ZOOM_STEP = 1.6;
const PAN_SHARE = 0.2;

/** What only the page can do. */
export interface PageActions {
  find(): void;
  help(): void;
  copyLink(): void;
  toggleUtc(): void;
  setView(number: number): void;
  closeDock(): void;
}

interface Command {
  readonly keys: readonly string[];
  readonly text: TextKey;
  /** "grid": only while the tree has the focus, since these keys mean something elsewhere too. */
  readonly where: "grid" | "page";
  run(view: TraceView, page: PageActions, key: string): void;
}

export const COMMANDS: readonly Command[] = [
  { keys: ["ArrowDown", "j"], text: "trace.key.down", where: "grid", run: (view) => view.move(1) },
  { keys: ["ArrowUp", "k"], text: "trace.key.up", where: "grid", run: (view) => view.move(-1) },
  { keys: ["ArrowRight", "l"], text: "trace.key.in", where: "grid", run: (view) => view.stepIn() },
  { keys: ["ArrowLeft", "h"], text: "trace.key.out", where: "grid", run: (view) => view.stepOut() },
  { keys: ["PageDown"], text: "trace.key.pageDown", where: "grid", run: (view) => view.move(PAGE_ROWS) },
  { keys: ["PageUp"], text: "trace.key.pageUp", where: "grid", run: (view) => view.move(-PAGE_ROWS) },
  { keys: ["Home"], text: "trace.key.first", where: "grid", run: (view) => view.moveTo(0) },
  { keys: ["End"], text: "trace.key.last", where: "grid", run: (view) => view.moveTo(Infinity) },
  { keys: ["Enter", " "], text: "trace.key.detail", where: "grid", run: (view) => (view.dockIsOpen = !view.dockIsOpen) },
  { keys: ["Escape"], text: "trace.key.close", where: "page", run: (_, page) => page.closeDock() },
  { keys: ["+", "="], text: "trace.key.zoomIn", where: "page", run: (view) => view.zoom(1 / ZOOM_STEP) },
  { keys: ["-"], text: "trace.key.zoomOut", where: "page", run: (view) => view.zoom(ZOOM_STEP) },
  { keys: ["0"], text: "trace.key.zoomAll", where: "page", run: (view) => view.zoomToAll() },
  { keys: ["z"], text: "trace.key.zoomSpan", where: "page", run: (view) => view.zoomToActive() },
  { keys: ["<", ","], text: "trace.key.earlier", where: "page", run: (view) => view.pan(-PAN_SHARE) },
  { keys: [">", "."], text: "trace.key.later", where: "page", run: (view) => view.pan(PAN_SHARE) },
  { keys: ["f"], text: "trace.key.root", where: "page", run: (view) => view.toggleRoot() },
  { keys: ["e"], text: "trace.key.nextError", where: "page", run: (view) => view.goToError(true) },
  { keys: ["E"], text: "trace.key.previousError", where: "page", run: (view) => view.goToError(false) },
  { keys: ["/"], text: "trace.key.find", where: "page", run: (_, page) => page.find() },
  { keys: ["n"], text: "trace.key.nextMatch", where: "page", run: (view) => view.goToMatch(true) },
  { keys: ["N"], text: "trace.key.previousMatch", where: "page", run: (view) => view.goToMatch(false) },
  { keys: ["c"], text: "trace.key.path", where: "page", run: (view) => (view.overlays.path = !view.overlays.path) },
  { keys: ["g"], text: "trace.key.groups", where: "page", run: (view) => view.toggleGroups() },
  { keys: ["x"], text: "trace.key.gaps", where: "page", run: (view) => (view.overlays.gaps = !view.overlays.gaps) },
  { keys: ["i"], text: "trace.key.idle", where: "page", run: (view) => view.toggleIdle() },
  { keys: ["a"], text: "trace.key.links", where: "page", run: (view) => (view.overlays.links = !view.overlays.links) },
  { keys: ["["], text: "trace.key.lessLevels", where: "page", run: (view) => view.changeLevel(-1) },
  { keys: ["]"], text: "trace.key.moreLevels", where: "page", run: (view) => view.changeLevel(1) },
  { keys: ["1", "2", "3", "4", "5"], text: "trace.key.views", where: "page", run: (_, page, key) => page.setView(Number(key)) },
  { keys: ["y"], text: "trace.key.copyLink", where: "page", run: (_, page) => page.copyLink() },
  { keys: ["u"], text: "trace.key.utc", where: "page", run: (_, page) => page.toggleUtc() },
  { keys: ["?"], text: "trace.key.help", where: "page", run: (_, page) => page.help() },
];

const NAMES: Record<string, string> = { ArrowDown: "↓", ArrowUp: "↑", ArrowRight: "→", ArrowLeft: "←", " ": "Space" };

export function keyName(key: string): string {
  return NAMES[key] ?? key;
}

/** Carries out what a key stands for; false where it stands for nothing here. */
export function runKey(event: KeyboardEvent, view: TraceView, page: PageActions): boolean {
  if (!isFree(event)) return false;
  const inGrid = event.target instanceof Element && event.target.closest("[role=treegrid]") !== null;
  const command = COMMANDS.find(({ keys, where }) => keys.includes(event.key) && (where === "page" || inGrid));
  if (command === undefined || (isSingleCharacter(event.key) && !settings.keysAreOn)) return false;
  command.run(view, page, event.key);
  return true;
}
