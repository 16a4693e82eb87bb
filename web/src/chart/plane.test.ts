import { describe, expect, it } from "vitest";
import { spaced } from "./curve";
import { nearest, pathOf, planeOf } from "./plane";

const BOX = { left: 0, right: 100, top: 0, bottom: 50 };

describe("a plane", () => {
  it("spreads a log axis evenly over factors", () => {
    const { toX } = planeOf([1, 10, 100], [0, 0, 0], [], "log", BOX);
    expect([1, 10, 100].map((at) => Math.round(toX(at)))).toEqual([0, 50, 100]);
  });

  it("has room for the lines that are drawn beside the points", () => {
    const { toY, low, high } = planeOf([0, 1], [0.2, null], [0.9], "linear", BOX);
    expect(low).toBeLessThan(0.2);
    expect(high).toBeGreaterThan(0.9);
    expect(toY(0.9)).toBeLessThan(toY(0.2));
  });

  it("holds a single value, and none at all", () => {
    expect(planeOf([1], [0.5], [], "linear", BOX).toY(0.5)).toBeCloseTo(25, 9);
    expect(planeOf([], [], [], "log", BOX).toX(1)).toBe(0);
  });
});

describe("a curve", () => {
  it("is broken where there is no value", () => {
    const plane = planeOf([0, 1, 2, 3], [1, 1, null, 1], [], "linear", BOX);
    expect(pathOf([0, 1, 2, 3], [1, 1, null, 1], plane)).toBe("M0.0 25.0L33.3 25.0M100.0 25.0");
  });

  it("is read at the nearest point that has a value", () => {
    const plane = planeOf([0, 50, 100], [1, null, 2], [], "linear", BOX);
    expect(nearest([0, 50, 100], [1, null, 2], plane, 51)).toBe(2);
    expect(nearest([], [], plane, 5)).toBe(-1);
  });
});

describe("the words on an axis", () => {
  const ticks = [1, 2, 3, 100].map((at) => ({ at, text: `${at} s` }));

  it("stay inside it, and do not run into one another", () => {
    const words = spaced(ticks, (at) => at, 0, 100);
    expect(words.map(({ at }) => at)).toEqual([1, 100]);
    expect(words[1]?.middle).toBeLessThan(95);
  });

  it("are all there when there is room", () => {
    expect(spaced(ticks, (at) => at * 60, 0, 6_000)).toHaveLength(4);
  });
});
