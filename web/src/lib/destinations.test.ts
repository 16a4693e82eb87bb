import { describe, expect, it } from "vitest";
import type { Config } from "../api.gen";
import { carried, neighbour, routeTo } from "./destinations";
import { HOME } from "./url";

const ONE = { name: "symbol", takes: 1 };
const TWO = { name: "pair", takes: 2 };
const SYSTEM = { screen: "system", symbols: [] };

const symbol = (name: string) => ({ symbol: name, tick_size: 0.1, price_decimals: 1, step_size: 0.001 });
const config = {
  symbols: [symbol("BTCUSDT"), symbol("ETHUSDT"), symbol("XRPUSDT")],
  legs: [
    { y: "ETHUSDT", x: "BTCUSDT" },
    { y: "XRPUSDT", x: "BTCUSDT" },
  ],
} as Config;

describe("routeTo", () => {
  it("leads from a pair to its explained leg, and back to a pair of the symbol", () => {
    const pair = { screen: "pair", symbols: ["XRPUSDT", "BTCUSDT"] };
    const symbol = { screen: "symbol", symbols: ["XRPUSDT"] };
    expect(routeTo(ONE, pair, config)).toEqual(symbol);
    expect(routeTo(TWO, symbol, config)).toEqual(pair);
    expect(routeTo({ name: "other", takes: 2 }, pair, config)).toEqual({ ...pair, screen: "other" });
  });

  it("leads from anywhere else to the first that is configured", () => {
    expect(routeTo(TWO, SYSTEM, config)).toEqual({ screen: "pair", symbols: ["ETHUSDT", "BTCUSDT"] });
    expect(routeTo(ONE, SYSTEM, config)).toEqual({ screen: "symbol", symbols: ["BTCUSDT"] });
  });

  it("leads home when nothing is watched", () => {
    expect(routeTo(TWO, SYSTEM, { ...config, legs: [], symbols: [] })).toEqual(HOME);
    expect(routeTo(ONE, SYSTEM, { ...config, legs: [], symbols: [] })).toEqual(HOME);
  });
});

describe("what goes along", () => {
  it("is interval, window, method and zone, not the zoom or the table of one picture", () => {
    const view = { tf: "1m", w: 60, hedge: "huber", tz: "local", ind: "rsi", bars: 100, at: 5, view: "table" } as const;
    expect(carried(view)).toEqual({ tf: "1m", w: 60, hedge: "huber", tz: "local" });
    expect(carried({ prices: "level", intercept: false })).toEqual({ prices: "level", intercept: false });
  });
});

describe("neighbour", () => {
  it("stays inside the list", () => {
    const intervals = ["1s", "5s", "1m"];
    expect(neighbour(intervals, "5s", 1)).toBe("1m");
    expect(neighbour(intervals, "1m", 1)).toBe("1m");
    expect(neighbour(intervals, "1s", -1)).toBe("1s");
  });
});
