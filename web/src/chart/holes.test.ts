import { describe, expect, it } from "vitest";
import { emptyTopic } from "../wire/state";
import { barsAt, pairAt } from "../wire/testing";
import { frozenLabel, frozenOf, holeLabel, holesOf } from "./holes";

describe("holesOf", () => {
  it("finds what is longer than a value is carried on, and no quiet minute", () => {
    const state = { ...emptyTopic(), bars: barsAt([0, 60, 121, 122]) };
    expect(holesOf(state, 1_000)).toEqual([{ lastMs: 60_000, nextMs: 121_000, isCut: false }]);
  });

  it("counts with the interval of the bars", () => {
    const state = { ...emptyTopic(), bars: barsAt([0, 600, 1_260]) };
    expect(holesOf(state, 60_000)).toMatchObject([{ lastMs: 600_000, nextMs: 1_260_000 }]);
  });

  it("knows which holes are drawn shorter than they are", () => {
    const state = { ...emptyTopic(), bars: barsAt([0, 301, 603, 700]) };
    expect(holesOf(state, 1_000).map((hole) => hole.isCut)).toEqual([false, true, false]);
  });

  it("is, of a pair, where one of the legs has no price", () => {
    const times = Array.from({ length: 200 }, (_, i) => i);
    const pair = { ...pairAt(times), x: times.map((time) => (time > 50 && time < 150 ? null : 1)) };
    const state = { ...emptyTopic(), bars: barsAt(times), pair };
    expect(holesOf(state, 1_000)).toEqual([{ lastMs: 50_000, nextMs: 150_000, isCut: false }]);
  });

  it("has none before the first bar", () => {
    expect(holesOf(emptyTopic(), 1_000)).toEqual([]);
    const pair = { ...pairAt([0, 100, 200]), y: [null, null, 1] };
    expect(holesOf({ ...emptyTopic(), pair }, 1_000)).toEqual([]);
  });
});

describe("holeLabel", () => {
  it("says how long no bar was, and when that is not what is drawn", () => {
    const hole = { lastMs: 0, nextMs: 7_801_000, isCut: false };
    expect(holeLabel(hole, 1_000)).toBe("2 h 10 min without bars");
    expect(holeLabel({ ...hole, isCut: true }, 1_000)).toBe("2 h 10 min without bars, not to scale");
  });
});

describe("frozen stretches", () => {
  const times = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const pair = (carried: number[]) => ({ ...pairAt(times), carried });

  it("reach from the first bar without a trade of a leg to the last, and name the leg", () => {
    const found = frozenOf(pair([0, 0, 2, 2, 2, 2, 2, 0, 0, 0]), ["Y", "X"], 1_000);
    expect(found).toEqual([{ symbol: "X", firstMs: 2_000, lastMs: 6_000, stepMs: 1_000 }]);
    expect(frozenLabel(found[0] as (typeof found)[number])).toBe("no trade of X for 5 s");
  });

  it("are those longer than it takes to be late, of each leg by itself, up to now", () => {
    expect(frozenOf(pair([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), ["Y", "X"], 1_000)).toEqual([]);
    const both = frozenOf(pair([0, 0, 0, 0, 1, 3, 3, 3, 3, 3]), ["Y", "X"], 1_000);
    expect(both.map(({ symbol, firstMs }) => [symbol, firstMs])).toEqual([
      ["Y", 4_000],
      ["X", 5_000],
    ]);
  });
});
