import { describe, expect, it } from "vitest";
import type { MetricInfo } from "../api.gen";
import { barsWanted, metricOf, parseIndicators, toggled, withPeriod, writeIndicators } from "./indicators";

describe("indicators in the address", () => {
  it.each(["ema", "sma.50,rsi.21,vol", "none"])("are read as they were written: %s", (text) => {
    expect(writeIndicators(parseIndicators(text))).toBe(text);
  });

  it("are the usual ones when it says nothing", () => {
    expect(parseIndicators(undefined).map(({ name }) => name)).toEqual(["sma", "rsi"]);
    expect(writeIndicators(parseIndicators(undefined))).toBeUndefined();
  });

  it("are always in the same order, and only those that exist", () => {
    expect(writeIndicators(parseIndicators("z,macd,sma.x,rsi.0"))).toBe("sma,rsi,z");
  });
});

describe("an indicator", () => {
  it("is asked for by the name that live metrics have, unless its period is another", () => {
    expect(metricOf({ name: "z" })).toBe("price_z");
    expect(metricOf({ name: "sma" })).toBe("sma");
    expect(metricOf({ name: "sma", period: 50 })).toBe("sma:period=50");
  });

  it("wants so many bars of its period, where what was before weighs", () => {
    const info = (wants_each: number) => ({ parameters: [{ name: "period", default: 14, wants_each }] }) as MetricInfo;
    expect(barsWanted(info(10), { name: "rsi" })).toBe(140);
    expect(barsWanted(info(5), { name: "ema", period: 200 })).toBe(1_000);
    expect(barsWanted(info(0), { name: "sma", period: 200 })).toBeUndefined();
    expect(barsWanted(undefined, { name: "z" })).toBeUndefined();
  });

  it("goes in and out, and changes its period", () => {
    expect(toggled([{ name: "rsi" }], "sma")).toEqual([{ name: "rsi" }, { name: "sma" }]);
    expect(toggled([{ name: "rsi" }], "rsi")).toEqual([]);
    expect(withPeriod([{ name: "rsi" }], "rsi", 21)).toEqual([{ name: "rsi", period: 21 }]);
    expect(withPeriod([{ name: "rsi", period: 21 }], "rsi", undefined)).toEqual([{ name: "rsi" }]);
  });
});
