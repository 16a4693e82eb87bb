// The state of one topic, and what each message does to it.

import type { BarColumns, PairColumns, Quantity, ServerMessage } from "../api.gen";
import { partsOf, type Terms, termsOf, USUAL_TERMS } from "../lib/methods";
import { OF_TRADES } from "../lib/statistics";
import { applyUpdate } from "./changes";
import { type Change, putRow, trim } from "./columns";
import { putLive } from "./series";
import { earlier, judge, type TopicState, type Verdict } from "./state";

export const symbolTopic = (symbol: string, tf: string) => `symbol:${symbol}:${tf}`;
export const pairTopic = (y: string, x: string, tf: string, window: number, terms: Terms = USUAL_TERMS) =>
  ["pair", y, x, tf, window, ...partsOf(terms)].join(":");
export const STATUS_TOPIC = "status";
export const JOBS_TOPIC = "jobs";

export interface Scale {
  tf: string | undefined;
  window?: number;
  terms?: Terms | undefined;
}

/** The interval and, of a pair, the window and the terms that a topic's name says. */
export function scaleOf(name: string): Scale {
  const parts = name.split(":");
  if (parts[0] === "pair") return { tf: parts[3], window: Number(parts[4]), terms: termsOf(parts.slice(5)) };
  return { tf: parts[0] === "symbol" ? parts[2] : undefined };
}

type OfNoMarket = "ping" | "status" | "jobs" | "alerts" | "alert" | "alerts_snapshot";
export type TopicMessage = Exclude<ServerMessage, { type: OfNoMarket }>;

/** Apply a message to the state, in place. `hole` asks the caller to subscribe again from `state.seq`. */
export function applyMessage(state: TopicState, message: TopicMessage): Verdict {
  switch (message.type) {
    case "symbol_snapshot":
      state.named = Object.keys(message.metrics);
      return restart(state, message.seq, message.bars, undefined, message.metrics);
    case "pair_snapshot":
      state.named = Object.keys(message.metrics);
      state.health = message.health ?? undefined;
      state.signal = message.signal;
      return restart(state, message.seq, message.y_bars, message.series, withTrades(message));
    case "symbol":
    case "pair":
      return applyUpdate(state, message);
    case "symbol_bar":
      return applyBar(state, message.seq, message.bar.status[0] ?? "open", message.bar);
    case "pair_bar":
      return applyBar(state, message.seq, message.status, message.y_bar, message.series);
    case "symbol_metrics":
    case "pair_metrics": {
      const verdict = judge(state.seq, message.seq, false);
      if (verdict === "apply") {
        state.metrics = message.metrics;
        putLive(state);
        state.version++;
      }
      return verdict;
    }
    case "preparing":
      state.phase = state.bars ? state.phase : "preparing";
      state.version++;
      return "apply";
    case "error":
      state.phase = state.bars ? state.phase : "refused";
      state.error = message.error;
      state.version++;
      return "apply";
  }
}

/** The metrics of a pair, and among them that of its trades, which comes at its own pace. */
export const withTrades = ({
  metrics,
  of_trades,
}: {
  metrics: Readonly<Record<string, Quantity>>;
  of_trades?: Quantity | null;
}): Record<string, Quantity> => (of_trades ? { ...metrics, [OF_TRADES]: of_trades } : { ...metrics });

function restart(
  state: TopicState,
  seq: number,
  bars: BarColumns,
  pair: PairColumns | undefined,
  metrics: Record<string, Quantity>,
): Verdict {
  Object.assign(state, { phase: "ready", seq, bars, pair, metrics, error: undefined, outdatedMs: 0 });
  state.toldMs = undefined;
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
  const [changedMs] = (pair ?? bar).open_time_ms;
  if (changes.includes("recent") && changedMs !== undefined) state.touchedMs = earlier(state.touchedMs, changedMs);
  if (changes.includes("reset") || trimmed.includes(true)) state.resets++;
  const [timeMs] = (pair ?? bar).open_time_ms;
  if (isNumbered && timeMs !== undefined) state.outdatedMs = Math.min(timeMs, state.outdatedMs ?? timeMs);
  state.seq = seq;
  state.openBar = !isNumbered;
  state.rows++;
  state.version++;
  return verdict;
}
