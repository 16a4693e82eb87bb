import { describe, expect, it } from "vitest";
import type { Status } from "../api.gen";
import type { Link } from "./connection";
import { freshness, isCurrent, isNow, type LateLeg, limits, silence, silenceOf, wasHeard } from "./freshness";

const OPEN: Link = { phase: "open", sinceMs: 0, retryAtMs: undefined, everOpen: true };

function received(ages: Record<string, number | null>, feed: Partial<Status["feed"]> = {}) {
  const symbols = Object.entries(ages).map(([symbol, ageMs]) => ({
    symbol,
    received_ms: ageMs === null ? null : 100_000 - ageMs,
  }));
  const status = {
    now_ms: 100_000,
    source: { kind: "live", finished: false },
    feed: { state: "live", last_error: null, ...feed },
    symbols,
  };
  return { status: status as unknown as Status, receivedMs: 0 };
}

const state = (ages: Record<string, number | null>, nowMs = 0, feed: Partial<Status["feed"]> = {}) =>
  freshness(OPEN, received(ages, feed), Object.keys(ages), 1_000, nowMs).state;

describe("freshness", () => {
  it("goes from live to late to stale as the last trade grows old", () => {
    expect(state({ A: 500 })).toBe("live");
    expect(state({ A: 3_500 })).toBe("late");
    expect(state({ A: 10_500 })).toBe("stale");
  });

  it("goes on ageing while no status arrives", () => {
    expect(state({ A: 500 }, 2_000)).toBe("live");
    expect(state({ A: 500 }, 11_000)).toBe("stale");
  });

  it("is that of the older leg, and names it", () => {
    const fresh = freshness(OPEN, received({ A: 100, B: 12_000 }), ["A", "B"], 1_000, 0);
    expect(fresh).toMatchObject({ state: "stale", ageMs: 12_000 });
    expect(fresh.why).toContain("B");
  });

  it("is waiting while one leg has never traded", () => {
    expect(state({ A: 100, B: null })).toBe("waiting");
  });

  it("is, without a symbol in question, of everything, and names who is silent", () => {
    expect(freshness(OPEN, received({ A: 2_000, B: 300 }), [], 1_000, 0)).toMatchObject({
      state: "live",
      ageMs: 300,
      late: [],
    });
    const fresh = freshness(OPEN, received({ A: 20_000, B: 300, C: 4_000 }), [], 1_000, 0);
    expect(fresh).toMatchObject({ state: "stale", ageMs: 20_000 });
    expect(fresh.late.map(({ symbol, state }) => `${symbol} ${state}`)).toEqual(["A stale", "C late"]);
    expect(fresh.why).toBe("No trade of A for 20 s. No trade of C for 4.0 s.");
  });

  it("grows older from the last trade, not from when the line was lost", () => {
    const lost: Link = { phase: "down", sinceMs: 9_000, retryAtMs: undefined, everOpen: true };
    expect(freshness(lost, received({ A: 500 }), ["A"], 1_000, 10_000)).toMatchObject({ state: "down", ageMs: 10_500 });
  });

  it("believes the feed when it says that it is stale, down or at its end", () => {
    expect(state({ A: 100 }, 0, { state: "stale" })).toBe("stale");
    expect(state({ A: 100 }, 0, { state: "down", last_error: "refused" })).toBe("down");
    expect(state({ A: 100 }, 0, { state: "finished" })).toBe("finished");
  });

  it("has no age on a tape that is looked at, whatever its trades say", () => {
    const looked = received({ A: 100, B: null }, { state: "off" });
    Object.assign(looked.status.source, { kind: "tape" });
    expect(freshness(OPEN, looked, ["A", "B"], 1_000, 0)).toMatchObject({ state: "tape", ageMs: undefined });
  });

  it("is down when the line is lost, and only connecting when it never was", () => {
    const lost: Link = { phase: "down", sinceMs: 0, retryAtMs: 5, everOpen: true };
    expect(freshness(lost, received({ A: 0 }), ["A"], 1_000, 4_000)).toMatchObject({ state: "down", ageMs: 4_000 });
    expect(freshness({ ...lost, everOpen: false }, undefined, ["A"], 1_000, 0).state).toBe("connecting");
  });
});

describe("the words for silence", () => {
  const late: LateLeg = { symbol: "A", state: "late", ageMs: 4_200 };
  const stale: LateLeg = { symbol: "B", state: "stale", ageMs: 12_000 };
  const unheard: LateLeg = { symbol: "C", state: "stale", ageMs: undefined };

  it("tell how late a symbol is, and never call one old that has not begun", () => {
    expect([late, stale, unheard].map(silence)).toEqual(["late 4.2 s", "stale 12 s", "no trade yet"]);
    expect([[late], [unheard], [unheard, late], []].map(wasHeard)).toEqual([true, false, true, false]);
  });

  it("name who is silent of several, and the worst that is said of one", () => {
    expect(silenceOf([], 2)).toBe("");
    expect(silenceOf([late], 2)).toBe("A late");
    expect(silenceOf([stale, late], 2)).toBe("B, A stale");
    expect(silenceOf([unheard], 2)).toBe("C: no trade yet");
    expect(silenceOf([unheard, { ...unheard, symbol: "D" }], 2)).toBe("no trade yet");
  });
});

describe("limits", () => {
  it("follow the interval, between 3 and 10 seconds", () => {
    expect(limits(1_000)).toEqual({ lateMs: 3_000, staleMs: 10_000 });
    expect(limits(5_000)).toEqual({ lateMs: 10_000, staleMs: 20_000 });
    expect(limits(300_000)).toEqual({ lateMs: 10_000, staleMs: 20_000 });
  });

  it("decide what may be read as a signal", () => {
    const states = ["live", "late", "stale", "down", "finished", "tape"] as const;
    expect(states.filter(isCurrent)).toEqual(["live", "late", "tape"]);
    expect(states.filter(isNow)).toEqual(["live", "late"]);
  });
});
