// The state of one topic, and what each message does to it.

import type { BarColumns, ErrorBody, PairColumns, Quantity, ServerMessage } from "../api.gen";
import { type Change, putRow, trim } from "./columns";

export const symbolTopic = (symbol: string, tf: string) => `symbol:${symbol}:${tf}`;
export const pairTopic = (y: string, x: string, tf: string, window: number, method = "ols") =>
  `pair:${y}:${x}:${tf}:${window}:${method}`;
export const STATUS_TOPIC = "status";

/** The interval and, of a pair, the window that a topic's name says. */
export function scaleOf(name: string): { tf: string | undefined; window: number | undefined } {
  const parts = name.split(":");
  if (parts[0] === "pair") return { tf: parts[3], window: Number(parts[4]) };
  return { tf: parts[0] === "symbol" ? parts[2] : undefined, window: undefined };
}

export type TopicMessage = Exclude<ServerMessage, { type: "ping" | "status" }>;

/** Everything known of a topic. The tables are changed in place; the counters say when. */
export interface TopicState {
  phase: "loading" | "ready" | "refused";
  seq: number | undefined;
  bars: BarColumns | undefined; // of the symbol, or of y in a pair
  pair: PairColumns | undefined;
  metrics: Readonly<Record<string, Quantity>>;
  openBar: boolean; // the last bar is still open
  error: ErrorBody | undefined;
  version: number; // rises with every change
  rows: number; // rises with every change of the tables
  resets: number; // rises when more than the tail of a table has changed
}

export const NO_METRICS: Readonly<Record<string, Quantity>> = {};

export const emptyTopic = (): TopicState => ({
  phase: "loading",
  seq: undefined,
  bars: undefined,
  pair: undefined,
  metrics: NO_METRICS,
  openBar: false,
  error: undefined,
  version: 0,
  rows: 0,
  resets: 0,
});

export type Verdict = "apply" | "old" | "hole";

/**
 * Whether a message fits. Closed and revised bars are numbered without a hole; what may be dropped
 * (the open bar, metrics) carries the number it follows.
 */
export function judge(last: number | undefined, seq: number, isNumbered: boolean): Verdict {
  if (last === undefined) return "hole";
  const expected = isNumbered ? last + 1 : last;
  if (seq === expected) return "apply";
  return seq < expected ? "old" : "hole";
}

/** Apply a message to the state, in place. `hole` asks the caller to subscribe again from `state.seq`. */
export function applyMessage(state: TopicState, message: TopicMessage): Verdict {
  switch (message.type) {
    case "symbol_snapshot":
      return restart(state, message.seq, message.bars, undefined, message.metrics);
    case "pair_snapshot":
      return restart(state, message.seq, message.y_bars, message.series, message.metrics);
    case "symbol_bar":
      return applyBar(state, message.seq, message.bar.status[0] ?? "open", message.bar);
    case "pair_bar":
      return applyBar(state, message.seq, message.status, message.y_bar, message.series);
    case "symbol_metrics":
    case "pair_metrics": {
      const verdict = judge(state.seq, message.seq, false);
      if (verdict === "apply") {
        state.metrics = message.metrics;
        state.version++;
      }
      return verdict;
    }
    case "error":
      state.phase = state.bars ? state.phase : "refused";
      state.error = message.error;
      state.version++;
      return "apply";
  }
}

function restart(
  state: TopicState,
  seq: number,
  bars: BarColumns,
  pair: PairColumns | undefined,
  metrics: Record<string, Quantity>,
): Verdict {
  Object.assign(state, { phase: "ready", seq, bars, pair, metrics, error: undefined });
  state.openBar = bars.status.at(-1) === "open";
  state.resets++;
  state.rows++;
  state.version++;
  return "apply";
}

function applyBar(state: TopicState, seq: number, status: string, bar: BarColumns, pair?: PairColumns): Verdict {
  const isNumbered = status !== "open";
  const verdict = judge(state.seq, seq, isNumbered);
  if (verdict !== "apply" || !state.bars) return verdict;
  const changes: Change[] = [putRow(state.bars, bar)];
  if (pair && state.pair) changes.push(putRow(state.pair, pair));
  const trimmed = [trim(state.bars), state.pair ? trim(state.pair) : false];
  if (changes.includes("reset") || trimmed.includes(true)) state.resets++;
  state.seq = seq;
  state.openBar = !isNumbered;
  state.rows++;
  state.version++;
  return verdict;
}
