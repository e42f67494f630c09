/**
 * A service's colour: its name's hash picks one of 24 OKLCH slots, so a service looks the same on every page and every machine. Red is
 * for errors only, so no slot lies within 30 degrees of it. Lightness and chroma are chosen per theme for 3:1 against the surface that
 * bars are drawn on (checked by the test beside this file).
 */
export type Theme = "light" | "dark";

export const SLOT_COUNT = 24;

/** Hues go round from orange-yellow over green and blue to magenta; neighbours in the list are far apart on the wheel. */
const HUE_COUNT = 12;
const HUE_FIRST = 62;
const HUE_STEP = 25;
const HUE_STRIDE = 5;

/** sRGB holds less chroma around cyan than elsewhere. */
const CYAN_FROM = 170;
const CYAN_TO = 225;
const CYAN_CHROMA = 0.8;

const LEVELS: Record<Theme, readonly (readonly [lightness: number, chroma: number])[]> = {
  light: [
    [0.6, 0.12],
    [0.46, 0.092],
  ],
  dark: [
    [0.74, 0.126],
    [0.58, 0.115],
  ],
};

/** FNV-1a over UTF-16 code units: short, stable, and the same wherever it runs. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  // A last mix, since the low bits of FNV-1a spread names that differ in one digit poorly.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** The slot that a name has where nothing collides. */
export function slotOf(name: string): number {
  return hashName(name) % SLOT_COUNT;
}

/** `[lightness 0-1, chroma, hue in degrees]` of a slot (taken modulo 24). */
export function oklchOfSlot(slot: number, theme: Theme): readonly [lightness: number, chroma: number, hue: number] {
  const index = slot % SLOT_COUNT;
  const [lightness, chroma] = LEVELS[theme][Math.floor(index / HUE_COUNT)] ?? [0.6, 0.1];
  const hue = HUE_FIRST + (((index % HUE_COUNT) * HUE_STRIDE) % HUE_COUNT) * HUE_STEP;
  return [lightness, hue > CYAN_FROM && hue < CYAN_TO ? chroma * CYAN_CHROMA : chroma, hue];
}

/** CSS text that canvas takes too. */
function colourOfSlot(slot: number, theme: Theme): string {
  const [lightness, chroma, hue] = oklchOfSlot(slot, theme);
  return `oklch(${lightness} ${chroma} ${hue})`;
}

/**
 * One slot per name for one view: each keeps its preferred slot, and where two share one, the later in alphabetical order moves to the
 * next free slot. With more than 24 names the slots are reused. The result does not depend on the order of the names.
 */
export function assignSlots(names: Iterable<string>, preferred: (name: string) => number = slotOf): Map<string, number> {
  const sorted = [...new Set(names)].sort();
  const slots = new Map<string, number>();
  const taken = new Set<number>();
  const collided: string[] = [];
  for (const name of sorted) {
    const slot = preferred(name);
    if (taken.has(slot)) collided.push(name);
    else {
      taken.add(slot);
      slots.set(name, slot);
    }
  }
  for (const name of collided) {
    const slot = freeSlot(preferred(name), taken);
    taken.add(slot);
    slots.set(name, slot);
  }
  return slots;
}

/** The first free slot from `slot` on, around the circle; `slot` itself when none is free. */
function freeSlot(slot: number, taken: ReadonlySet<number>): number {
  for (let step = 0; step < SLOT_COUNT; step += 1) {
    const candidate = (slot + step) % SLOT_COUNT;
    if (!taken.has(candidate)) return candidate;
  }
  return slot;
}

const REGISTRY_NAMES_MAX = 500;

/**
 * The slots of every service seen so far, so that a service moved by a collision on one page is not moved differently on the next. A name
 * keeps what it was given; a new one gets its own slot, or the next free one while there is one.
 */
export class SlotRegistry {
  readonly #slots = new Map<string, number>();

  /** `entries` as an earlier `entries()` gave them; what is no slot is left out. */
  constructor(entries: Iterable<readonly [name: string, slot: number]> = []) {
    for (const [name, slot] of entries) {
      if (Number.isInteger(slot) && slot >= 0 && slot < SLOT_COUNT) this.#slots.set(name, slot);
    }
  }

  slotOf(name: string): number {
    return this.#slots.get(name) ?? slotOf(name);
  }

  /** True when a name was new. Holds at most 500 names; further ones have the slot of their hash. */
  register(names: Iterable<string>): boolean {
    const fresh = [...new Set(names)].filter((name) => !this.#slots.has(name)).slice(0, REGISTRY_NAMES_MAX - this.#slots.size);
    if (fresh.length === 0) return false;
    const taken = new Set(this.#slots.values());
    // Those whose own slot is free take it before others look for a free one.
    for (const name of fresh.sort().filter((name) => !taken.has(slotOf(name)))) {
      if (taken.has(slotOf(name))) continue;
      taken.add(slotOf(name));
      this.#slots.set(name, slotOf(name));
    }
    for (const name of fresh.filter((name) => !this.#slots.has(name))) {
      const slot = freeSlot(slotOf(name), taken);
      taken.add(slot);
      this.#slots.set(name, slot);
    }
    return true;
  }

  entries(): [name: string, slot: number][] {
    return [...this.#slots];
  }
}

/** Colours for one view, from `assignSlots`; a name that was not given gets its own slot. */
export function slotColours(
  names: Iterable<string>,
  theme: Theme,
  preferred: (name: string) => number = slotOf,
): (name: string) => string {
  const slots = assignSlots(names, preferred);
  return (name) => colourOfSlot(slots.get(name) ?? preferred(name), theme);
}
