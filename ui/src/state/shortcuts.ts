/** When a key that is pressed may be a shortcut. */
import { settings } from "./settings.svelte.ts";

/**
 * True where the focus is on something that takes letters itself, and within dialogs, which have keys of their own. One that was closed has the
 * focus until the next frame.
 */
function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement) || target.closest("dialog:not([open])") !== null) return false;
  return target.closest("input, textarea, select, dialog, [contenteditable], [role=textbox]") !== null;
}

/** True where no other part of the page has use for the key. */
export function isFree(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  return !takesText(event.target) && document.querySelector("dialog[open]") === null;
}

/** Those that a person who dictates or leans on a key would set off by accident (WCAG 2.1.4); they can be turned off. */
export function isSingleCharacter(key: string): boolean {
  return key.length === 1 && key !== " ";
}

/** As isFree, for letters, digits and signs: never while these are turned off. */
export function isShortcut(event: KeyboardEvent): boolean {
  return settings.keysAreOn && isFree(event);
}
