// @vitest-environment happy-dom

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SymbolSeriesAnswer } from "../api.gen";
import { followSeries, putLive, putSeries } from "./series";
import { emptyTopic, Topic } from "./state";
import { bar, barsAt, metric } from "./testing";
import { applyMessage, type TopicMessage } from "./topic";

const answer = (times: readonly number[], values: readonly (number | null)[] = times): SymbolSeriesAnswer => ({
  symbol: "BTCUSDT",
  interval: "1s",
  window: 300,
  open_time_ms: times.map((time) => time * 1000),
  close: [...times],
  metrics: { rsi: [...values] },
});

const loaded = (times: readonly number[]) => {
  const state = emptyTopic();
  state.bars = barsAt(times);
  putSeries(state, answer(times), undefined);
  return state;
};

describe("the series of a topic", () => {
  it("is replaced from the bar that was asked for, and keeps what is newer than the answer", () => {
    const state = loaded([1, 2, 3, 4]);
    putSeries(state, answer([2, 3], [20, 30]), 2_000);
    expect(state.series).toEqual({ open_time_ms: [1000, 2000, 3000, 4000], rsi: [1, 20, 30, 4] });
  });

  it("grows by the bars that are new, and takes nothing from before what was asked for", () => {
    const state = loaded([1, 2]);
    putSeries(state, answer([1, 2, 3], [10, 20, 30]), 2_000);
    expect(state.series?.rsi).toEqual([1, 20, 30]);
  });

  it("is another one when other metrics are asked for", () => {
    const state = loaded([1, 2]);
    putSeries(state, { ...answer([2]), metrics: { sma: [5] } }, 2_000);
    expect(state.series).toEqual({ open_time_ms: [2000], sma: [5] });
  });

  it("has the open bar from the live metrics, and a hole where those say nothing", () => {
    const state = loaded([1, 2]);
    (state.series as Record<string, unknown>)["sma:period=50"] = [7, 8];
    state.metrics = { rsi: { ...metric(55), as_of_ms: 3_000 } };
    putLive(state);
    expect(state.series).toEqual({ open_time_ms: [1000, 2000, 3000], rsi: [1, 2, 55], "sma:period=50": [7, 8, null] });
    state.metrics = { rsi: { ...metric(44), as_of_ms: 1_000 } };
    putLive(state);
    expect(state.series?.rsi).toEqual([1, 2, 55]);
  });
});

describe("following a series", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function follow() {
    const topic = new Topic("symbol:BTCUSDT:1s");
    const asked: (number | undefined)[] = [];
    const failures: (string | undefined)[] = [];
    const answers: (SymbolSeriesAnswer | Error)[] = [];
    const ask = async (fromMs: number | undefined) => {
      asked.push(fromMs);
      const next = answers.shift() ?? answer([1, 2, 3]);
      if (next instanceof Error) throw next;
      return next;
    };
    const hear = (message: unknown) => {
      applyMessage(topic.state, message as TopicMessage);
      topic.version.set(topic.state.version);
    };
    const stop = followSeries(topic, ask, (why) => failures.push(why));
    hear({ type: "symbol_snapshot", topic: topic.name, seq: 1, bars: barsAt([1, 2, 3], "closed"), metrics: {} });
    return { topic, asked, failures, answers, hear, stop };
  }

  it("loads once, and then reads on from each bar that closes", async () => {
    const { topic, asked, hear } = follow();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([undefined]);
    hear(bar(topic.name, 2, 4));
    hear(bar(topic.name, 3, 5));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toEqual([undefined, 4_000]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toHaveLength(2);
  });

  it("reads again from a revised bar", async () => {
    const { topic, asked, hear } = follow();
    await vi.advanceTimersByTimeAsync(2_000);
    hear(bar(topic.name, 2, 2, "revised"));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([undefined, 2_000]);
  });

  it("says that it failed, keeps what it has, and tries again later", async () => {
    const { topic, asked, failures, answers, hear } = follow();
    await vi.advanceTimersByTimeAsync(2_000);
    answers.push(new Error("busy"));
    hear(bar(topic.name, 2, 4));
    await vi.advanceTimersByTimeAsync(0);
    expect(failures.at(-1)).toBe("busy");
    expect(topic.state.series?.rsi).toEqual([1, 2, 3]);
    answers.push(answer([4], [40]));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked).toEqual([undefined, 4_000, 4_000]);
    expect(failures.at(-1)).toBeUndefined();
    expect(topic.state.series?.rsi).toEqual([1, 2, 3, 40]);
  });

  it("stops when nobody looks any more", async () => {
    const { topic, asked, hear, stop } = follow();
    await vi.advanceTimersByTimeAsync(2_000);
    stop();
    hear(bar(topic.name, 2, 4));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toHaveLength(1);
  });
});
