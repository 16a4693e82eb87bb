// One moment of a market, told by what changed: put into the tables and the metrics of its topic, all at once.

import type { BarChange, BarColumns, PairColumns, PairUpdate, Quantity, SymbolUpdate } from "../api.gen";
import { OF_TRADES } from "../lib/statistics";
import { type Change, lowerBound, putRow, trim } from "./columns";
import { putLive } from "./series";
import { earlier, judge, type TopicState, type Verdict } from "./state";

type Update = (SymbolUpdate | PairUpdate) & { open_time_ms: number };

/** What a bar has that is not told of it. */
const USUAL = {
  vwap: null,
  missing: 0,
  missing_reason: null,
  continuity: "proved",
  backfilled: 0,
  source: "live",
} as const;
const ROW = ["beta", "alpha", "spread", "spread_z", "correlation"] as const;

/** Apply a moment, in place. `hole`: it cannot be placed, and the caller subscribes again. */
export function applyUpdate(state: TopicState, told: SymbolUpdate | PairUpdate): Verdict {
  const isNumbered = told.status !== undefined;
  const verdict = judge(state.seq, told.seq, isNumbered);
  if (verdict !== "apply" || !state.bars) return verdict;
  const atMs = told.open_time_ms ?? state.toldMs;
  if (atMs === undefined) return "hole";
  const message: Update = { ...told, open_time_ms: atMs };
  const bar = message.bar && barOf(state.bars, message, message.bar);
  const row = message.type === "pair" && state.pair ? rowOf(state.pair, state.named, message, bar) : undefined;
  if (bar === null || row === null) return "hole";
  const changes: Change[] = [];
  if (bar) changes.push(putRow(state.bars, bar));
  if (row && state.pair) changes.push(putRow(state.pair, row));
  const trimmed = [trim(state.bars), state.pair ? trim(state.pair) : false];
  if (changes.includes("recent")) state.touchedMs = earlier(state.touchedMs, message.bar_ms ?? message.open_time_ms);
  if (changes.includes("reset") || trimmed.includes(true)) state.resets++;
  if (message.type === "symbol" || message.row === undefined) measure(state, message);
  if (message.type === "pair") judged(state, message);
  if (isNumbered) state.outdatedMs = Math.min(message.open_time_ms, state.outdatedMs ?? message.open_time_ms);
  else putLive(state);
  state.seq = message.seq;
  state.toldMs = atMs;
  state.openBar = !isNumbered;
  if (changes.length) state.rows++;
  state.version++;
  return verdict;
}

/** A bar as a row of its table; null when what it changes is not there. */
function barOf(bars: BarColumns, { open_time_ms, bar_ms, status }: Update, change: BarChange): BarColumns | null {
  const timeMs = bar_ms ?? open_time_ms;
  const at = lowerBound(bars.open_time_ms, timeMs);
  const isKnown = bars.open_time_ms[at] === timeMs;
  if (change.open === undefined && !isKnown) return null;
  const before = change.open === undefined ? cellsOf(bars, at) : USUAL;
  const one = { ...before, status: status ?? "open", ...change } as Record<string, unknown>;
  one.open_time_ms = timeMs;
  return Object.fromEntries(Object.keys(bars).map((name) => [name, [one[name]]])) as unknown as BarColumns;
}

function cellsOf(columns: BarColumns, at: number): Record<string, unknown> {
  return Object.fromEntries(Object.entries(columns).map(([name, cells]) => [name, (cells as unknown[])[at]]));
}

/** A row of the pair; undefined when nothing of it is told, null when what it goes on from is not there. */
function rowOf(
  pair: PairColumns,
  named: readonly string[],
  message: PairUpdate & Update,
  bar: BarColumns | null | undefined,
): PairColumns | undefined | null {
  const { open_time_ms: timeMs, values, row } = message;
  const close = message.bar_ms === undefined ? bar?.close[0] : undefined;
  const isTold = message.x !== undefined || message.y !== undefined || close !== undefined || row || values;
  if (!isTold) return undefined;
  const at = lowerBound(pair.open_time_ms, timeMs);
  const isKnown = pair.open_time_ms[at] === timeMs;
  const isWhole = message.x !== undefined && (values ?? row) !== undefined;
  if (!isKnown && !isWhole) return message.x === undefined && close === undefined ? undefined : null;
  const before = <C extends keyof PairColumns>(name: C) => pair[name]?.[at] ?? null;
  const one: Record<string, unknown> = {
    open_time_ms: timeMs,
    y: message.y !== undefined ? message.y : (close ?? before("y")),
    x: message.x !== undefined ? message.x : before("x"),
    carried: message.carried ?? before("carried") ?? 0,
  };
  for (const name of ROW) one[name] = row ? row[name] : values ? values[named.indexOf(name)] : before(name);
  return Object.fromEntries(Object.keys(pair).map((name) => [name, [one[name]]])) as unknown as PairColumns;
}

/** The metrics of the moment. Units and windows are those of the snapshot. */
function measure(state: TopicState, message: Update): void {
  const { values, n, reasons, flags, shares, open_time_ms: as_of_ms } = message;
  const isSame = !values && !n && !reasons && !flags && !shares;
  if (isSame && state.metrics[state.named[0] ?? ""]?.as_of_ms === as_of_ms) return;
  const metrics: Record<string, Quantity> = { ...state.metrics };
  state.named.forEach((name, i) => {
    const one = { ...(metrics[name] as Quantity), as_of_ms, ...shares };
    if (values) one.value = values[i] ?? null;
    if (n) one.n = n[i] as number;
    if (reasons) one.reason = reasons[i] ?? null;
    if (flags) one.flags = flags[i] ?? [];
    metrics[name] = one;
  });
  state.metrics = metrics;
}

function judged(state: TopicState, { health, of_trades, signal }: PairUpdate): void {
  if (health !== undefined) state.health = health ?? undefined;
  if (signal !== undefined) state.signal = signal;
  if (of_trades === undefined) return;
  const { [OF_TRADES]: _, ...metrics } = state.metrics;
  state.metrics = of_trades ? { ...metrics, [OF_TRADES]: of_trades } : metrics;
}
