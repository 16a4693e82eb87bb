import { describe, expect, it } from "vitest";
import type { Status } from "../api.gen";
import { Closes, newestTradeMs } from "./closes";

describe("the close of bars", () => {
  it("is said once for each bar, and not of the bar that was open at first", () => {
    const closes = new Closes(1_000, 0);
    expect(closes.isDue(10_200, 0)).toBe(false);
    expect(closes.isDue(10_900, 700)).toBe(false);
    expect(closes.isDue(11_000, 800)).toBe(true);
    expect(closes.isDue(11_400, 1_200)).toBe(false);
  });

  it("is said at most every so often, and never forgotten", () => {
    const closes = new Closes(1_000, 5_000);
    closes.isDue(10_000, 0);
    expect(closes.isDue(11_000, 1_000)).toBe(false);
    expect(closes.isDue(14_000, 4_900)).toBe(false);
    expect(closes.isDue(14_000, 5_000)).toBe(true);
    expect(closes.isDue(15_000, 6_000)).toBe(false);
  });

  it("does not come while nothing trades", () => {
    const closes = new Closes(1_000, 0);
    expect(closes.isDue(undefined, 0)).toBe(false);
    closes.isDue(10_000, 1);
    expect(closes.isDue(10_000, 60_000)).toBe(false);
  });

  it("is told by whatever traded last", () => {
    const symbols = [null, 5, 9, 7].map((last_trade_ms) => ({ last_trade_ms }));
    expect(newestTradeMs({ symbols } as Status)).toBe(9);
    expect(newestTradeMs({ symbols: [{ last_trade_ms: null }] } as Status)).toBeUndefined();
  });
});
