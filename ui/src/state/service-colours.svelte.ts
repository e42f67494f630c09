/** Service colours that are the same on every page of this browser: slots once given are kept. */
import { SlotRegistry, slotColours, type Theme } from "../lib/colour.ts";
import { loadPreference, savePreference } from "./preferences.ts";

const KEY = "service-slots";

function load(): SlotRegistry {
  const kept = loadPreference(KEY);
  if (kept === null) return new SlotRegistry();
  try {
    const entries: unknown = JSON.parse(kept);
    return new SlotRegistry(Array.isArray(entries) ? entries.filter(isEntry) : []);
  } catch {
    // Cut off or edited by hand: the hashes alone are a fine start.
    return new SlotRegistry();
  }
}

function isEntry(entry: unknown): entry is [string, number] {
  return Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" && typeof entry[1] === "number";
}

const registry = load();

/** Colours for the services of one view: no two alike while there are at most 24. */
export function serviceColours(names: Iterable<string>, theme: Theme): (name: string) => string {
  const list = [...names];
  if (registry.register(list)) savePreference(KEY, JSON.stringify(registry.entries()));
  return slotColours(list, theme, (name) => registry.slotOf(name));
}
