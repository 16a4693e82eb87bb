import { describe, expect, it } from "vitest";
import type { PairHealth, Quantity } from "../api.gen";
import {
  conditionText,
  direction,
  doubtsText,
  healthRemarks,
  interval,
  leadingOf,
  statisticsOf,
  suggestionText,
} from "./statistics";

const given = (values: Record<string, Quantity["value"]>): Record<string, Quantity> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      { value, unit: "1", window: 300, n: 300, as_of_ms: 0, missing: 0, reason: value === null ? "stale" : null },
    ]),
  );

const line = (metric: string) =>
  statisticsOf("ETH", "BTC", { rejection: null })
    .flatMap((group) => group.lines)
    .find((each) => each.metric === metric);

describe("the verdict on cointegration", () => {
  it.each([
    ["at_1_percent", "rejected at 1 %"],
    ["at_5_percent", "rejected at 5 %"],
    ["at_10_percent", "Doubtful"],
    ["not_rejected", "No cointegration is shown"],
  ] as const)("of %s", (rejection, words) => {
    expect(statisticsOf("ETH", "BTC", { rejection })[0]?.verdict).toContain(words);
    expect(statisticsOf("ETH", "BTC", { rejection: null })[0]?.verdict).toBeUndefined();
  });
});

describe("a line of the statistics", () => {
  it("names the legs of the direction", () => {
    expect(direction("x_on_y", "ETH", "BTC")).toBe("BTC on ETH");
    expect(direction(null, "ETH", "BTC")).toBe("");
  });

  it("has all three critical values", () => {
    const metrics = given({ "coint_crit:level=1": -3.93, "coint_crit:level=5": -3.36, "coint_crit:level=10": -3.06 });
    expect(line("coint_crit:level=5")?.text?.(metrics)).toBe("−3.36 at 5 %");
    expect(line("coint_crit:level=5")?.detail?.(metrics)).toBe("−3.93 at 1 %, −3.06 at 10 %");
  });

  it("leaves an end open that cannot be given", () => {
    expect(interval("20", "80", " bars")).toBe("95 %: 20 to 80 bars");
    expect(interval("20", undefined, " bars")).toBe("95 %: 20 bars to no end");
    expect(interval(undefined, undefined)).toBe("");
  });
});

describe("the correlation that leads", () => {
  it("is that of the trades below a minute, of the returns from there on", () => {
    expect([1_000, 59_000].map(leadingOf)).toEqual(Array(2).fill({ metric: "correlation_hy", of: "of trades" }));
    expect([60_000, 300_000].map(leadingOf)).toEqual(Array(2).fill({ metric: "correlation", of: "of returns" }));
  });
});

describe("the health of a pair", () => {
  const health: PairHealth = {
    condition: "not_shown",
    reasons: ["cointegration is not shown: p = 0.34"],
    doubts: 1,
    as_of_ms: 90_000,
    since_ms: 30_000,
    is_since_before: false,
    held_until_ms: null,
    shares: { not_shown: 0.75, cointegrated: 0.25 },
    windows: 5,
    visible_half_life: 300 / 41,
    suggestion: { interval: "1m", window: 240, p: 0.002 },
  };
  const time = (ms: number) => `t${ms}`;
  const READ = "Read at t90000, once in a twentieth of the window.";

  it("is told in words, with what the window can see", () => {
    expect(conditionText(health)).toBe("not shown");
    expect(healthRemarks(health, 60_000, time)).toEqual([
      READ,
      "This window would have seen a half-life of up to 7 bars (7 min 19 s) in 4 of 5 cases.",
      "Since t30000; 75 % of the last four windows.",
    ]);
    expect(healthRemarks({ ...health, visible_half_life: 0.7 }, 60_000, time)[1]).toContain("of less than a bar in");
  });

  it("says since when at least, and until when it was held", () => {
    const faded = { ...health, visible_half_life: null, is_since_before: true, held_until_ms: 20_000 };
    expect(healthRemarks(faded, 1_000, time)).toEqual([
      READ,
      "Since before t30000; 75 % of the last four windows.",
      "It was cointegrated until t20000.",
    ]);
  });

  it("counts what speaks against a pair, and a tape that is short yet as what it is", () => {
    const short = { ...health, doubts: 0, windows: 3, reasons: ["the tape holds 3 of the 5 windows"] };
    expect([health, { ...health, doubts: 2 }, { ...health, doubts: 0 }].map(doubtsText)).toEqual([
      "1 doubt",
      "2 doubts",
      "no doubts",
    ]);
    expect(doubtsText(short)).toBe("3 of 5 windows");
    expect(doubtsText({ ...short, windows: 1.25 })).toBe("1.3 of 5 windows");
    expect(doubtsText({ ...short, windows: 5, condition: "unknown" })).toBe("could not be tested");
  });

  it("suggests an interval and a window, or nothing", () => {
    expect(suggestionText(health)).toBe("1m × 240");
    expect(suggestionText({ ...health, suggestion: null })).toBe("");
  });
});
