import { describe, expect, it } from "vitest";
import type { MetricInfo, Quantity } from "../api.gen";
import { flagText, quantityText, reasonText, restsOn, titleOf, warmUp } from "./quantity";

const quantity = (change: Partial<Quantity>): Quantity => ({
  value: 1,
  unit: "1",
  window: 300,
  n: 300,
  as_of_ms: 0,
  missing: 0,
  reason: null,
  ...change,
});

describe("quantityText", () => {
  it.each([
    ["last_price", "price", 61542.1, "61,542.1"],
    ["spread", "ln", -0.000166, "−1.66 bp"],
    ["alpha", "ln", -5.20728, "−5.2073"],
    ["volatility_annual", "ln per year", 0.5583, "55.8 %"],
    ["spread_z", "1", -0.62, "−0.62"],
    ["order_flow", "1", -0.0691, "−6.9 %"],
    ["cv", "1", 0.000213, "0.00021"],
    ["trades", "trades", 1214, "1,214"],
    ["coint_p", "1", 0.0131, "0.013"],
    ["beta_p", "probability", 1.4e-76, "<0.001"],
    ["half_life", "bars", 45.7, "46 bars"],
    ["half_life_ms", "ms", 46_000, "46 s"],
    ["lead_lag", "ms", -40, "−40 ms"],
    ["half_life_ms", "ms", 8_765, "8.8 s"],
    ["half_life_ms", "ms", 187_000, "3 min 7 s"],
    ["rsi:period=21", "1", 73.211, "73.2"],
    ["something_new", "name", 12.3456, "12.35"],
  ] satisfies [string, Quantity["unit"], number, string][])("writes %s", (name, unit, value, text) => {
    expect(quantityText(name, quantity({ unit, value }), 1)).toBe(text);
  });

  it("writes a dash for what has no value, and words in lower case", () => {
    expect(quantityText("beta", quantity({ value: null }), 1)).toBe("—");
    expect(quantityText("signal", quantity({ value: "NEUTRAL" }), 1)).toBe("neutral");
  });
});

describe("the title of a metric", () => {
  it("is the catalogue's, with the parameters that were asked for", () => {
    const catalogue = new Map([["rsi", { title: "RSI" } as MetricInfo]]);
    expect(titleOf("rsi", catalogue)).toBe("RSI");
    expect(titleOf("rsi:period=21", catalogue)).toBe("RSI (period 21)");
    expect(titleOf("brand_new", catalogue)).toBe("brand new");
  });
});

describe("what a number rests on", () => {
  it("is counted in bars, and of a metric of trades in price changes", () => {
    expect(restsOn(quantity({ n: 299 }))).toBe("299 of 300 bars");
    expect(restsOn(quantity({ n: 4296 }), { needs: "trades", scope: "pair" })).toBe("4,296 price changes in 300 bars");
    expect(restsOn(quantity({ n: 100 }), { needs: "history", scope: "pair" })).toBe("100 readings of 300 bars each");
    expect(restsOn(quantity({ n: 299 }), { needs: "history", scope: "symbol" })).toBe("299 of 300 bars"); // GARCH
  });
});

describe("what is said of an absent value", () => {
  it("is its reason, in words", () => {
    expect(reasonText(quantity({ value: null, reason: "constant_series" }))).toBe("the price did not move");
    expect(reasonText(quantity({ value: null }))).toBe("not available");
    expect(reasonText(quantity({}))).toBe("");
  });

  it("stands beside a value that is given with a reservation", () => {
    expect(flagText(quantity({ flags: ["no_arch"] }))).toBe("a constant variance is as good");
    expect(flagText(quantity({ flags: ["rival", "integrated"] }))).toBe(
      "another fit is nearly as likely, good for the next bar only",
    );
    expect(flagText(quantity({}))).toBe("");
  });

  it("is, while the window fills, when it will be there", () => {
    const filling = quantity({ value: null, window: 120, n: 37 });
    expect(warmUp("z", filling, 1_000)).toBe("z needs 120 bars: 37/120, ready in about 83 s");
    expect(warmUp("z", filling, 60_000)).toBe("z needs 120 bars: 37/120, ready in about 1 h 23 min");
  });

  it("tells on how little an early value rests, and nothing once the window is full", () => {
    expect(warmUp("z", quantity({ n: 242 }), 1_000)).toBe("z rests on 242 of 300 bars, full in about 58 s");
    expect(warmUp("z", quantity({}), 1_000)).toBeUndefined();
  });
});
