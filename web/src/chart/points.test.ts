import type { UTCTimestamp } from "lightweight-charts";
import { describe, expect, it } from "vitest";
import { barsAt, pairAt } from "../wire/testing";
import { baseline, candles, line, lostMarks, WIDEST_GAP, withGaps } from "./points";
import { COLORS } from "./theme";

const at = (...times: number[]) => times.map((time) => ({ time: time as UTCTimestamp, value: 1 }));
const times = (points: readonly { time: unknown }[]) => points.map((point) => point.time);

describe("withGaps", () => {
  it("puts empty points where bars are missing", () => {
    const filled = withGaps(at(10, 15, 30), 5);
    expect(times(filled)).toEqual([10, 15, 20, 25, 30]);
    expect(filled[2]).toEqual({ time: 20 });
  });

  it("goes on from the point before", () => {
    expect(times(withGaps(at(30), 10, 10))).toEqual([20, 30]);
    expect(times(withGaps(at(10), 10, 10))).toEqual([10]);
  });

  it("draws a very long hole in a bounded width", () => {
    const filled = withGaps(at(0, 86_400), 1);
    expect(filled).toHaveLength(WIDEST_GAP + 2);
    expect(filled.at(-1)?.time).toBe(86_400);
  });
});

describe("points", () => {
  it("are in whole seconds, from the row that is asked for", () => {
    expect(times(candles(barsAt([1, 2, 3]), 1))).toEqual([2, 3]);
  });

  it("mark only the bars of which trades are missing", () => {
    const bars = { ...barsAt([1, 2]), missing: [0, 0.2] };
    expect(lostMarks(bars)).toEqual([{ time: 1 }, { time: 2, value: 1, color: COLORS.lost }]);
  });
});

describe("line", () => {
  it("is empty where there is no value, and does not bridge the hole", () => {
    const pair = { ...pairAt([1, 2, 3]), spread_z: [1, null, 2] };
    expect(line(pair, "spread_z", 1_000)).toEqual([
      { time: 1, value: 1, color: COLORS.none },
      { time: 2 },
      { time: 3, value: 2 },
    ]);
    expect(baseline(pair, "spread_z", 1_000)[0]).toMatchObject({ value: 1, topLineColor: COLORS.none });
  });
});

describe("a line over rows that are far apart", () => {
  it("is broken when they are further apart than a value is carried on", () => {
    const isInvisible = line(pairAt([0, 60, 121]), "spread", 1_000).map((point) => "color" in point);
    expect(isInvisible).toEqual([false, true, false]);
    expect(line(pairAt([0, 600, 1_200]), "spread", 60_000).some((point) => "color" in point)).toBe(false);
  });
});
