// What is known of a topic, and whether a message fits to it. Here and not beside what changes it, so that nothing here
// needs to know of that.

import type { BarColumns, ErrorBody, PairColumns, PairHealth, PairSignal, Quantity } from "../api.gen";
import { Signal } from "../lib/signal";
import type { Columns } from "./columns";

/** One column for each metric, by the name it was asked for. */
export interface Series extends Columns {
  [metric: string]: (number | null)[];
}

/** Everything known of a topic. The tables are changed in place; the counters say when. */
export interface TopicState {
  phase: "loading" | "preparing" | "ready" | "refused"; // preparing: the server still compiles what it needs
  seq: number | undefined;
  bars: BarColumns | undefined; // of the symbol, or of y in a pair
  pair: PairColumns | undefined;
  metrics: Readonly<Record<string, Quantity>>;
  named: readonly string[]; // metrics that come with each moment, in the order in which they do
  health: PairHealth | undefined; // of a pair, with its signal
  signal: PairSignal | undefined;
  series: Series | undefined; // metrics along time, where a screen asks for them
  outdatedMs: number | undefined; // first bar that was closed or revised since the series was read
  seriesResets: number; // rises when more than the tail of the series has changed
  openBar: boolean; // the last bar is still open
  toldMs: number | undefined; // of the last message of a moment: the next one may leave it out
  error: ErrorBody | undefined;
  version: number; // rises with every change
  rows: number; // rises with every change of the tables
  touchedMs: number | undefined; // earliest of the recent rows that changed since a chart has drawn them
  resets: number; // rises when more than the tail of a table has changed
}

export const NO_METRICS: Readonly<Record<string, Quantity>> = {};

export const emptyTopic = (): TopicState => ({
  phase: "loading",
  seq: undefined,
  bars: undefined,
  pair: undefined,
  metrics: NO_METRICS,
  named: [],
  health: undefined,
  signal: undefined,
  series: undefined,
  outdatedMs: undefined,
  seriesResets: 0,
  openBar: false,
  toldMs: undefined,
  error: undefined,
  version: 0,
  rows: 0,
  touchedMs: undefined,
  resets: 0,
});

export const earlier = (a: number | undefined, b: number): number => Math.min(a ?? b, b);

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

/** One topic in use: `state` is changed in place, `version` rises with each change. */
export class Topic {
  readonly state: TopicState = emptyTopic();
  readonly version = new Signal(0);
  users = 0;
  askedMs: number | undefined; // when a subscription was sent whose answer has not come

  constructor(readonly name: string) {}
}
