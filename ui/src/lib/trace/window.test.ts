import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { contentHeight, offsetMax, offsetToShow, rowsInView, SCROLL_HEIGHT_MAX, scrollHeight, scrollScale } from "./scroll.ts";
import { buildTicks, clampWindow, panIntoView, panWindow, tickStep, zoomWindow } from "./window.ts";

describe("the time window", () => {
  it("keeps the instant under the cursor while zooming", () => {
    const zoomed = zoomWindow({ t0: 0, t1: 1000 }, 0.25, 0.5, 1000);
    assert.deepEqual(zoomed, { t0: 125, t1: 625 });
    assert.equal(zoomed.t0 + 0.25 * (zoomed.t1 - zoomed.t0), 250);
  });

  it("never leaves the trace, whatever is done to it", () => {
    const share = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e15 }), fc.array(fc.tuple(fc.boolean(), share)), (endNano, moves) => {
        let window = { t0: 0, t1: endNano };
        for (const [zoom, by] of moves) {
          window = zoom ? zoomWindow(window, Math.abs(by) / 3, 2 ** by, endNano) : panWindow(window, by, endNano);
          assert.ok(window.t0 >= 0 && window.t1 <= endNano * (1 + 1e-12) && window.t1 > window.t0);
        }
      }),
    );
  });

  it("comes back to the trace's bounds with its width", () => {
    assert.deepEqual(clampWindow({ t0: 900, t1: 1100 }, 1000), { t0: 800, t1: 1000 });
    assert.deepEqual(panIntoView({ t0: 0, t1: 100 }, 50, 10, 1000), { t0: 0, t1: 100 });
    assert.deepEqual(panIntoView({ t0: 0, t1: 100 }, 500, 20, 1000), { t0: 460, t1: 560 });
  });
});

describe("ticks", () => {
  it("stand at round instants in the unit of their step", () => {
    assert.deepEqual(
      buildTicks({ t0: 0, t1: 1e9 }, 5).map((tick) => tick.label),
      ["0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s"],
    );
    assert.deepEqual(
      buildTicks({ t0: 1_500_000, t1: 1_502_000 }, 4).map((tick) => tick.label),
      ["1500.0 µs", "1500.5 µs", "1501.0 µs", "1501.5 µs", "1502.0 µs"],
    );
  });

  it("use the steps of a clock above a second", () => {
    assert.equal(tickStep(100e9, 10), 10e9);
    assert.equal(tickStep(150e9, 10), 15e9);
    assert.equal(tickStep(24 * 3600e9, 6), 5 * 3600e9);
  });

  it("are never more than asked for, in any window", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e14 }),
        fc.integer({ min: 10, max: 1e14 }),
        fc.integer({ min: 2, max: 12 }),
        (t0, width, most) => {
          const ticks = buildTicks({ t0, t1: t0 + width }, most);
          assert.ok(ticks.length <= most + 1);
          assert.equal(new Set(ticks.map((tick) => tick.label)).size, ticks.length);
        },
      ),
    );
  });
});

describe("the scroll bar", () => {
  const million = { rowCount: 1_000_000, rowHeight: 24, viewHeight: 800 };

  it("reaches the last of a million rows below the cap", () => {
    assert.equal(scrollHeight(million), SCROLL_HEIGHT_MAX);
    const top = (SCROLL_HEIGHT_MAX - million.viewHeight) * scrollScale(million);
    assert.ok(Math.abs(top - offsetMax(million)) < 1e-3);
    assert.equal(rowsInView(offsetMax(million), million).to, 1_000_000);
  });

  it("stands one to one below the cap", () => {
    const few = { rowCount: 1000, rowHeight: 24, viewHeight: 800 };
    assert.equal(scrollScale(few), 1);
    assert.equal(scrollHeight(few), contentHeight(few));
    assert.deepEqual(rowsInView(30, few), { from: 1, to: 35 });
  });

  it("moves as little as it can to show a row", () => {
    const few = { rowCount: 1000, rowHeight: 20, viewHeight: 200 };
    assert.equal(offsetToShow(5, 0, few), 0);
    assert.equal(offsetToShow(20, 0, few), 240);
    assert.equal(offsetToShow(2, 240, few), 20);
    assert.equal(offsetToShow(999, 0, few), 19_800);
  });
});
