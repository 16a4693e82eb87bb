// Where one can go from here: which pair and which symbol belong to what is shown.

import type { Config } from "../api.gen";
import type { Place, Route, View } from "./url";

export type ScreenName = "pair" | "symbol" | "correlation" | "tape" | "system";

export const SCREENS: readonly { name: ScreenName; title: string; key: string }[] = [
  { name: "pair", title: "Pair", key: "1" },
  { name: "symbol", title: "Symbol", key: "2" },
  { name: "correlation", title: "Correlation", key: "3" },
  { name: "tape", title: "Tape", key: "6" },
  { name: "system", title: "System", key: "7" },
];

/** `Y/X` as the server writes it. */
export function splitPair(pair: string): { y: string; x: string } {
  const [y = "", x = ""] = pair.split("/");
  return { y, x };
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

function mainSymbol(route: Route, config: Config): string | undefined {
  if (route.screen === "symbol") return route.symbol;
  if (route.screen === "pair") return route.y;
  return config.symbols[0]?.symbol;
}

export function routeTo(screen: ScreenName, from: Route, config: Config): Route {
  if (screen === "correlation" || screen === "tape" || screen === "system") return { screen };
  if (from.screen === screen) return from;
  const symbol = mainSymbol(from, config);
  if (screen === "symbol") return symbol ? { screen, symbol } : { screen: "home" };
  const pairs = config.pairs.map(splitPair);
  const pair = pairs.find(({ y, x }) => from.screen === "symbol" && (y === symbol || x === symbol)) ?? pairs[0];
  return pair ? { screen, ...pair } : { screen: "home" };
}

export const placeTo = (screen: ScreenName, from: Place, config: Config): Place => ({
  route: routeTo(screen, from.route, config),
  view: carried(from.view),
});

/** The interval `steps` further in the list, staying inside it. */
export function neighbour(intervals: readonly string[], current: string, steps: number): string {
  const at = intervals.indexOf(current);
  return intervals[Math.min(Math.max(at + steps, 0), intervals.length - 1)] ?? current;
}
