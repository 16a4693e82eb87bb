import { describe, expect, it } from "vitest";
import type { Flag, PairHealth, PairUpdate, Reason, SymbolUpdate } from "../api.gen";
import { emptyTopic, type TopicState } from "./state";
import { barsAt, metric, pairSnapshot } from "./testing";
import { applyMessage } from "./topic";

const METRICS = { beta: metric(1), alpha: metric(0), r2: metric(0.9) };
const snapshot = () => pairSnapshot("pair:ETHUSDT:BTCUSDT:1s:10:ols", 7, 3, [1, 2], METRICS);

function started(): TopicState {
  const state = emptyTopic();
  applyMessage(state, snapshot());
  return state;
}

const pair = (more: Partial<PairUpdate>): PairUpdate => ({ type: "pair", of: 3, seq: 7, open_time_ms: 2_000, ...more });
const WHOLE_BAR = { open: 9, high: 9, low: 9, close: 9, volume: 2, quote_volume: 18, buy_volume: 1, trades: 1 };
const VALUES = [1.5, 0.25, 0.75, 2.5, 0.875, 0.95];

describe("a moment told by what changed", () => {
  it("changes bar, row and metrics together, and leaves the rest as it was", () => {
    const state = started();
    const bar = { close: 8, volume: 4, quote_volume: 30, vwap: 7.5, trades: 2 };
    expect(applyMessage(state, pair({ bar, values: VALUES }))).toBe("apply");
    expect(state.bars?.close).toEqual([1, 8]);
    expect(state.bars?.open).toEqual([1, 2]);
    expect(state.bars?.vwap.at(-1)).toBe(7.5);
    expect(state.pair?.y.at(-1)).toBe(8);
    expect(state.pair?.x.at(-1)).toBe(1);
    expect(state.pair?.spread_z).toEqual([0.5, 2.5]);
    expect(state.metrics.spread_z).toMatchObject({ value: 2.5, unit: "1", n: 10, as_of_ms: 2_000 });
    expect(state.metrics.r2?.value).toBe(0.95);
  });

  it("is of the time of the one before where it names none, and cannot be placed when there is none", () => {
    const state = started();
    const { open_time_ms: _, ...timeless } = pair({ values: VALUES });
    expect(applyMessage(state, timeless)).toBe("hole");
    applyMessage(state, pair({ open_time_ms: 3_000, bar: WHOLE_BAR, x: 4, values: VALUES }));
    expect(applyMessage(state, { ...timeless, bar: { close: 8 } })).toBe("apply");
    expect(state.bars?.close).toEqual([1, 2, 8]);
    expect(state.pair?.y.at(-1)).toBe(8);
    expect(state.metrics.r2).toMatchObject({ value: 0.95, as_of_ms: 3_000 });
    applyMessage(state, snapshot());
    expect(applyMessage(state, timeless)).toBe("hole");
  });

  it("of a new bar puts back what goes without saying", () => {
    const state = started();
    if (state.bars) state.bars.missing[1] = 0.5;
    applyMessage(state, pair({ open_time_ms: 3_000, bar: WHOLE_BAR, x: 4, carried: 2, values: VALUES }));
    expect(state.bars?.missing).toEqual([0, 0.5, 0]);
    expect(state.bars?.status).toEqual(["open", "open", "open"]);
    expect(state.pair?.carried).toEqual([0, 0, 2]);
    expect(state.pair?.open_time_ms).toEqual([1_000, 2_000, 3_000]);
  });

  it("that did not trade adds a row with the older price, and no bar", () => {
    const state = started();
    applyMessage(state, pair({ open_time_ms: 3_000, y: 2, x: 5, carried: 1, values: VALUES }));
    expect(state.bars?.open_time_ms).toEqual([1_000, 2_000]);
    expect([state.pair?.y.at(-1), state.pair?.x.at(-1)]).toEqual([2, 5]);
  });

  it("may tell of the bar before, which is still open", () => {
    const state = started();
    const moment = { open_time_ms: 3_000, y: 8, x: 5, carried: 1, values: VALUES };
    applyMessage(state, pair({ ...moment, bar: { close: 8 }, bar_ms: 2_000 }));
    expect(state.bars?.close).toEqual([1, 8]);
    expect(state.pair?.y).toEqual([2, 2, 8]);
  });

  it("of a row that is over does not turn the metrics back", () => {
    const state = started();
    const before = structuredClone(state.metrics);
    const row = { beta: 3, alpha: 3, spread: 3, spread_z: 3, correlation: 0.1 };
    const closed = pair({ seq: 8, status: "closed", open_time_ms: 1_000, bar: WHOLE_BAR, x: 6, carried: 0, row });
    expect(applyMessage(state, closed)).toBe("apply");
    expect(state.pair?.spread_z).toEqual([3, 0.5]);
    expect(state.metrics).toEqual(before);
    expect(state.bars?.status[0]).toBe("closed");
    expect(state.seq).toBe(8);
  });

  it("takes counts, reasons and flags in the order of the snapshot, and lets go of those that are gone", () => {
    const state = started();
    const of = (last: Reason | null) => [null, null, null, null, null, last];
    const flags: Flag[][] = [["ratio_of_quantities"], [], [], [], [], []];
    applyMessage(state, pair({ values: [1, 1, 1, 1, 1, null], n: [9, 9, 9, 9, 9, 1], reasons: of("stale"), flags }));
    expect(state.metrics.r2).toMatchObject({ value: null, n: 1, reason: "stale", flags: [] });
    expect(state.metrics.beta).toMatchObject({ value: 1, n: 9, reason: null, flags: ["ratio_of_quantities"] });
    applyMessage(state, pair({ values: VALUES, reasons: of(null), flags: [[], [], [], [], [], []] }));
    expect(state.metrics.r2).toMatchObject({ value: 0.95, n: 1, reason: null });
    expect(state.metrics.beta?.flags).toEqual([]);
  });

  it("may say that there is no health any more", () => {
    const state = started();
    const health = { condition: "cointegrated", reasons: [], shares: {}, windows: 5 } as unknown as PairHealth;
    applyMessage(state, pair({ health }));
    expect(state.health).toBe(health);
    applyMessage(state, pair({ values: VALUES }));
    expect(state.health).toBe(health);
    applyMessage(state, pair({ health: null }));
    expect(state.health).toBeUndefined();
  });

  it("tells health, signal and the correlation of trades when they are others", () => {
    const state = started();
    const signal = { side: "short", muted: "leg_late", late: ["BTCUSDT"] } as const;
    applyMessage(state, pair({ signal: { ...signal, late: [...signal.late] }, of_trades: metric(0.7) }));
    expect(state.signal).toEqual(signal);
    expect(state.metrics.correlation_hy?.value).toBe(0.7);
    applyMessage(state, pair({ values: VALUES }));
    expect(state.metrics.correlation_hy?.value).toBe(0.7);
    applyMessage(state, pair({ of_trades: null }));
    expect(state.metrics.correlation_hy).toBeUndefined();
  });

  it("asks again when it changes what is not there", () => {
    expect(applyMessage(started(), pair({ open_time_ms: 9_000, bar: { close: 8 } }))).toBe("hole");
    expect(applyMessage(started(), pair({ open_time_ms: 9_000, bar: WHOLE_BAR, x: 1 }))).toBe("hole");
    expect(applyMessage(started(), pair({ seq: 9, status: "closed" }))).toBe("hole");
    expect(applyMessage(started(), pair({ seq: 6 }))).toBe("old");
  });

  it("of a symbol needs no row", () => {
    const state = emptyTopic();
    applyMessage(state, {
      type: "symbol_snapshot",
      topic: "symbol:BTCUSDT:1s",
      seq: 7,
      symbol: "BTCUSDT",
      interval: "1s",
      bars: barsAt([1]),
      metrics: { last_price: metric(1) },
      of: 4,
    });
    const update: SymbolUpdate = { type: "symbol", of: 4, seq: 7, open_time_ms: 2_000, bar: WHOLE_BAR, values: [9] };
    expect(applyMessage(state, update)).toBe("apply");
    expect(state.bars?.close).toEqual([1, 9]);
    expect(state.metrics.last_price?.value).toBe(9);
  });
});
