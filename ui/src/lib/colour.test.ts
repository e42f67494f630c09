import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { assignSlots, oklchOfSlot, slotColours, SLOT_COUNT, SlotRegistry, slotOf, type Theme } from "./colour.ts";

/** OKLCH to linear sRGB (Ottosson, https://bottosson.github.io/posts/oklab/). */
function linearRgb([lightness, chroma, hue]: readonly [number, number, number]): [number, number, number] {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function luminance([red, green, blue]: readonly [number, number, number]): number {
  const clamp = (value: number): number => Math.min(1, Math.max(0, value));
  return 0.2126 * clamp(red) + 0.7152 * clamp(green) + 0.0722 * clamp(blue);
}

function luminanceOfHex(hex: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return luminance([channel(1), channel(3), channel(5)]);
}

const contrast = (one: number, other: number): number => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);

/** --surface and --bg of app.css. */
const SURFACES: Record<Theme, readonly string[]> = { light: ["#ffffff", "#f5f6f8"], dark: ["#161b22", "#0e1116"] };

describe("service colours", () => {
  for (const theme of ["light", "dark"] as const) {
    it(`stand out 3:1 against the surfaces of the ${theme} theme`, () => {
      for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
        const own = luminance(linearRgb(oklchOfSlot(slot, theme)));
        for (const surface of SURFACES[theme]) {
          const ratio = contrast(own, luminanceOfHex(surface));
          assert.ok(ratio >= 3, `slot ${slot} on ${surface}: ${ratio.toFixed(2)}`);
        }
      }
    });

    it(`lie within sRGB in the ${theme} theme, so that no screen clips them`, () => {
      for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
        for (const value of linearRgb(oklchOfSlot(slot, theme))) {
          assert.ok(value >= -0.002 && value <= 1.002, `slot ${slot}: ${value.toFixed(4)}`);
        }
      }
    });
  }

  it("keep 30 degrees of hue away from the red of errors (25 degrees)", () => {
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      const [, , hue] = oklchOfSlot(slot, "light");
      const distance = Math.abs(((hue - 25 + 540) % 360) - 180);
      assert.ok(distance >= 30, `slot ${slot} has hue ${hue}`);
    }
  });

  it("differ from slot to slot", () => {
    const seen = new Set<string>();
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) seen.add(oklchOfSlot(slot, "light").join(" "));
    assert.equal(seen.size, SLOT_COUNT);
  });

  it("are spread: a thousand numbered names leave no slot empty", () => {
    const used = new Set(Array.from({ length: 1000 }, (_, index) => slotOf(`service-${index}`)));
    assert.equal(used.size, SLOT_COUNT);
  });

  it("do not depend on the order of the names, and up to 24 names never share one", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { maxLength: SLOT_COUNT }), (names) => {
        const slots = assignSlots(names);
        assert.deepEqual(slots, assignSlots([...names].reverse()));
        assert.equal(new Set(slots.values()).size, names.length);
        for (const slot of slots.values()) assert.ok(slot >= 0 && slot < SLOT_COUNT);
      }),
    );
  });

  it("leave a name its own slot where nothing alphabetically before it has it", () => {
    const first = "cart";
    assert.equal(assignSlots([first]).get(first), slotOf(first));
  });

  it("give a name outside of the view its own slot", () => {
    assert.match(slotColours(["cart"], "dark")("stranger"), /^oklch\([\d.]+ [\d.]+ \d+\)$/);
  });

  it("stay with a service from view to view, whatever else is in them", () => {
    const names = fc.uniqueArray(fc.string(), { maxLength: SLOT_COUNT });
    fc.assert(
      fc.property(names, names, (first, second) => {
        const registry = new SlotRegistry();
        registry.register(first);
        const before = new Map(first.map((name) => [name, registry.slotOf(name)]));
        registry.register([...second].reverse());
        for (const [name, slot] of before) assert.equal(registry.slotOf(name), slot);
        assert.equal(new Set(before.values()).size, first.length);
        assert.equal(registry.register([...first, ...second]), false);
        const kept = new SlotRegistry(registry.entries());
        for (const name of [...first, ...second]) assert.equal(kept.slotOf(name), registry.slotOf(name));
      }),
    );
  });

  it("are not taken from a kept list that holds no slots, and the list is bounded", () => {
    const registry = new SlotRegistry([
      ["cart", 99],
      ["web", -1],
      ["stock", 3],
    ]);
    assert.deepEqual(registry.entries(), [["stock", 3]]);
    registry.register(Array.from({ length: 2000 }, (_, index) => `service-${index}`));
    assert.equal(registry.entries().length, 500);
  });
});
