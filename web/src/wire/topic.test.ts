import { describe, expect, it } from "vitest";
import { USUAL_TERMS } from "../lib/methods";
import { emptyTopic, judge, type TopicState } from "./state";
import { bar, barsAt, metric, pairAt, pairSnapshot, snapshot } from "./testing";
import type { TopicMessage } from "./topic";
import { applyMessage, pairTopic, scaleOf, symbolTopic } from "./topic";

const TOPIC = symbolTopic("BTCUSDT", "1s");
const apply = (state: TopicState, message: unknown) => applyMessage(state, message as TopicMessage);
const ready = (seq: number, times: number[]) => {
  const state = emptyTopic();
  apply(state, snapshot(TOPIC, seq, times));
  return state;
};

describe("judge", () => {
  it.each([
    [100, 101, true, "apply"],
    [100, 100, true, "old"],
    [100, 102, true, "hole"],
    [100, 100, false, "apply"],
    [100, 99, false, "old"],
    [100, 101, false, "hole"],
    [undefined, 1, true, "hole"],
  ] as const)("after %s, number %s (numbered: %s) is to %s", (last, seq, isNumbered, verdict) => {
    expect(judge(last, seq, isNumbered)).toBe(verdict);
  });
});

describe("a topic", () => {
  it("is loading until its snapshot, and takes nothing before it", () => {
    const state = emptyTopic();
    expect(apply(state, bar(TOPIC, 5, 1))).toBe("hole");
    expect(state.phase).toBe("loading");
    apply(state, snapshot(TOPIC, 7, [1, 2]));
    expect(state).toMatchObject({ phase: "ready", seq: 7, resets: 1 });
  });

  it("counts closed bars on, and lets the open bar follow without counting", () => {
    const state = ready(7, [1, 2]);
    expect(apply(state, bar(TOPIC, 8, 3))).toBe("apply");
    expect(apply(state, bar(TOPIC, 8, 4, "open"))).toBe("apply");
    expect(apply(state, bar(TOPIC, 8, 4, "open"))).toBe("apply");
    expect(state.seq).toBe(8);
    expect(state.openBar).toBe(true);
    expect(state.bars?.open_time_ms).toEqual([1000, 2000, 3000, 4000]);
    expect(state.resets).toBe(1);
  });

  it("reports a hole, changes nothing then, and goes on when the missed bar comes", () => {
    const state = ready(7, [1]);
    const before = state.version;
    expect(apply(state, bar(TOPIC, 9, 3))).toBe("hole");
    expect(state.version).toBe(before);
    expect(apply(state, bar(TOPIC, 8, 2))).toBe("apply");
    expect(apply(state, bar(TOPIC, 9, 3))).toBe("apply");
    expect(state.bars?.open_time_ms).toEqual([1000, 2000, 3000]);
  });

  it("ignores what it has already seen", () => {
    const state = ready(7, [1]);
    expect(apply(state, bar(TOPIC, 7, 1))).toBe("old");
    expect(apply(state, bar(TOPIC, 6, 1, "open"))).toBe("old");
  });

  it("asks for a full drawing after a revised older bar, not after a new one", () => {
    const state = ready(
      7,
      Array.from({ length: 40 }, (_, i) => i),
    );
    apply(state, bar(TOPIC, 8, 40));
    expect(state.resets).toBe(1);
    apply(state, bar(TOPIC, 9, 38, "revised"));
    expect([state.resets, state.touchedMs]).toEqual([1, 38_000]);
    apply(state, bar(TOPIC, 10, 2, "revised"));
    expect(state.resets).toBe(2);
  });

  it("forgets everything for a new snapshot", () => {
    const state = ready(7, [1, 2]);
    apply(state, snapshot(TOPIC, 3, [9]));
    expect(state.seq).toBe(3);
    expect(state.bars?.open_time_ms).toEqual([9000]);
  });

  it("takes metrics that follow its number, and not older ones", () => {
    const state = ready(7, [1]);
    apply(state, { type: "symbol_metrics", topic: TOPIC, seq: 7, metrics: { vwap: metric(5) } });
    expect(state.metrics.vwap?.value).toBe(5);
    expect(apply(state, { type: "symbol_metrics", topic: TOPIC, seq: 6, metrics: {} })).toBe("old");
    expect(state.metrics.vwap?.value).toBe(5);
  });

  it("is refused by an error, but keeps what it has", () => {
    const error = { code: "unknown_symbol", message: "no", cure: "yes" };
    const fresh = emptyTopic();
    apply(fresh, { type: "error", topic: TOPIC, error });
    expect(fresh).toMatchObject({ phase: "refused", error });
    const state = ready(7, [1]);
    apply(state, { type: "error", topic: TOPIC, error });
    expect(state.phase).toBe("ready");
  });
});

describe("a pair", () => {
  it("moves on also in a bar in which y did not trade", () => {
    const state = emptyTopic();
    apply(state, pairSnapshot("pair", 1, 3));
    apply(state, { type: "pair_bar", topic: "pair", seq: 2, status: "closed", y_bar: barsAt([]), series: pairAt([2]) });
    expect(state.bars?.open_time_ms).toEqual([1000]);
    expect(state.pair?.open_time_ms).toEqual([1000, 2000]);
  });
});

describe("names", () => {
  it("say which interval, window and method they carry", () => {
    expect(scaleOf(pairTopic("Y", "X", "5s", 120))).toEqual({ tf: "5s", window: 120, terms: USUAL_TERMS });
    const terms = { method: "kalman", prices: "level", intercept: false } as const;
    expect(pairTopic("Y", "X", "5s", 120, terms)).toBe("pair:Y:X:5s:120:kalman:prices=level:intercept=false");
    expect(scaleOf(pairTopic("Y", "X", "5s", 120, terms)).terms).toEqual(terms);
    expect(scaleOf(TOPIC)).toEqual({ tf: "1s" });
  });
});
