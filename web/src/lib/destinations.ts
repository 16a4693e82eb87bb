// Where one can go from here: which pair and which symbol belong to what is shown.

import type { Config } from "../api.gen";
import { HOME, type Place, type Route, type View } from "./url";

/** A screen as something to go to. */
export interface Destination {
  name: string;
  takes: number; // symbols
}

/** What stays the same from screen to screen; zoom and table belong to one picture. */
export function carried(view: View): View {
  const { tf, tz, w, hedge, prices, intercept } = view;
  return {
    ...(tf && { tf }),
    ...(w && { w }),
    ...(hedge && { hedge }),
    ...(prices && { prices }),
    ...(intercept === false && { intercept }),
    ...(tz && { tz }),
  };
}

/** The way to a screen: of as many of the symbols that are shown as it takes. */
export function routeTo({ name, takes }: Destination, from: Route, config: Config): Route {
  if (takes === 0) return { screen: name, symbols: [] };
  if (from.symbols.length === takes) return { screen: name, symbols: from.symbols };
  const symbol = from.symbols[0] ?? config.symbols[0]?.symbol;
  if (takes === 1) return symbol ? { screen: name, symbols: [symbol] } : HOME;
  const pairs = config.legs.map(({ y, x }) => [y, x]);
  const pair = pairs.find((legs) => from.symbols.length === 1 && legs.includes(symbol as string)) ?? pairs[0];
  return pair ? { screen: name, symbols: pair } : HOME;
}

export const placeTo = (screen: Destination, from: Place, config: Config): Place => ({
  route: routeTo(screen, from.route, config),
  view: carried(from.view),
});

/** The interval `steps` further in the list, staying inside it. */
export function neighbour(intervals: readonly string[], current: string, steps: number): string {
  const at = intervals.indexOf(current);
  return intervals[Math.min(Math.max(at + steps, 0), intervals.length - 1)] ?? current;
}
