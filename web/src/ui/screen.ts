// What a screen is: everything the shell around it is made from. The list of them is in `screens/list.ts`.

import type { ReactNode } from "react";
import type { Config } from "../api.gen";
import type { Terms } from "../lib/methods";
import type { Shown } from "../wire/context";

/** How what is on a screen is measured. */
export interface Measure {
  tf: string; // bar interval
  window: number;
  terms: Terms; // of a pair
}

export interface ScreenProps extends Measure {
  symbols: readonly string[]; // of its address, as many as it takes
  shown: Shown; // the live topic it asked for
  decimals: (symbol: string) => number;
}

export interface Screen {
  name: string; // of its address: /app/name, and the symbols it takes after that
  title: string;
  key: string; // that leads to it
  icon: ReactNode; // strokes in a square of 18
  takes: 0 | 1 | 2; // symbols
  has: readonly ("interval" | "window" | "terms")[]; // fields in the bar above it
  heading?: (symbols: readonly string[], config: Config) => string; // in that bar; else it invites to look for something
  topic?: (symbols: readonly string[], measure: Measure) => string; // that is kept live for it
  View: (props: ScreenProps) => ReactNode;
}
