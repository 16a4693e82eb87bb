import { describe, expect, it } from "vitest";
import { pairAt } from "../wire/testing";
import { roundTicks } from "./plane";
import { cloudOf } from "./scatter";

describe("roundTicks", () => {
  it("stand on round numbers inside the range", () => {
    expect(roundTicks(3398.2, 3404.9, 4)).toEqual([3400, 3402, 3404]);
    expect(roundTicks(0, 1, 4).map((tick) => tick.toFixed(1))).toEqual(["0.0", "0.5", "1.0"]);
  });

  it("are none when there is no range", () => {
    expect(roundTicks(5, 5, 4)).toEqual([]);
    expect(roundTicks(Number.NaN, 5, 4)).toEqual([]);
  });
});

describe("cloudOf", () => {
  it("holds the logarithms of the newest window, and the newest fit", () => {
    const cloud = cloudOf({ ...pairAt([1, 2, 3]), x: [1, Math.E, Math.E ** 2] }, 2);
    expect(cloud?.x.map((value) => Math.round(value))).toEqual([1, 2]);
    expect(cloud?.fit).toEqual({ alpha: 0, beta: 1 });
  });

  it("leaves out rows without prices, and has no fit before there is one", () => {
    const cloud = cloudOf({ ...pairAt([1, 2, 3], null), y: [1, null, 2] }, 10);
    expect(cloud?.y).toHaveLength(2);
    expect(cloud?.fit).toBeUndefined();
    expect(cloudOf(pairAt([1]), 10)).toBeUndefined();
  });
});
