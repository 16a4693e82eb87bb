import { describe, expect, it } from "vitest";
import type { LeadLagCurve } from "../api.gen";
import { eppsSentence, leadSentence } from "./pair-tests";

const curve = (change: Partial<LeadLagCurve>): LeadLagCurve => ({
  lag_ms: 120,
  low_ms: 60,
  high_ms: 180,
  leader: "x",
  n: 876,
  reason: null,
  lags_ms: [],
  contrasts: [],
  ...change,
});

describe("who moves first", () => {
  it("is said with how sure it is", () => {
    expect(leadSentence(curve({}), "ETH", "BTC")).toBe("BTC moves 120 ms before ETH (95 %: +60 to +180 ms).");
    expect(leadSentence(curve({ lag_ms: -120, leader: "y", low_ms: null }), "ETH", "BTC")).toBe(
      "ETH moves 120 ms before BTC.",
    );
  });

  it("is nobody, or not known", () => {
    expect(leadSentence(curve({ leader: null, lag_ms: 40, low_ms: -70 }), "ETH", "BTC")).toBe(
      "Neither leads: best lag +40 ms (95 %: −70 to +180 ms).",
    );
    expect(leadSentence(curve({ lag_ms: null, reason: "uncertain" }), "ETH", "BTC")).toBe(
      "Who moves first is not known: the trades do not tell.",
    );
  });
});

describe("the Epps curve in a sentence", () => {
  it("has its known ends and the trades beside them", () => {
    const epps = { interval_s: [1, 60, 300], correlation: [0.45, 0.7, null], n: [300, 5, 1], hayashi_yoshida: 0.591 };
    expect(eppsSentence(epps)).toBe("0.45 on bars of 1 s, 0.70 on bars of 1 min; 0.59 of the trades.");
    expect(eppsSentence({ ...epps, correlation: [null, null, null] })).toBe("Too few bars of any length.");
  });
});
