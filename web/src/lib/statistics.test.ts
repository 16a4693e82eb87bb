import { describe, expect, it } from "vitest";
import type { Quantity } from "../api.gen";
import { cointegrationVerdict, direction, interval, statisticsOf } from "./statistics";

const given = (values: Record<string, Quantity["value"]>) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      { value, unit: "1", window: 300, n: 300, as_of_ms: 0, missing: 0, reason: value === null ? "stale" : null },
    ]),
  );

const line = (metric: string) =>
  statisticsOf("ETH", "BTC")
    .flatMap((group) => group.lines)
    .find((each) => each.metric === metric);

describe("the verdict on cointegration", () => {
  it.each([
    [0.004, "rejected at 1 %"],
    [0.03, "rejected at 5 %"],
    [0.07, "Doubtful"],
    [0.1, "No cointegration found"],
  ])("of p = %s", (p, words) => {
    expect(cointegrationVerdict(given({ coint_p: p }))).toContain(words);
  });

  it("is silent when there is no p", () => {
    expect(cointegrationVerdict(given({ coint_p: null }))).toBe("");
    expect(cointegrationVerdict({})).toBe("");
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
