// Which screen an address means, and the shell around it.

import { Tooltip } from "@base-ui/react/tooltip";
import { useEffect, useState } from "react";
import { neighbour, placeTo, splitPair } from "./lib/destinations";
import { pairName } from "./lib/format";
import { useKeys } from "./lib/keys";
import { type Terms, USUAL_TERMS } from "./lib/methods";
import { intervalMs } from "./lib/time";
import { changeView, go, type Place, type Route, usePlace } from "./lib/url";
import { CorrelationScreen } from "./screens/correlation";
import { PairScreen } from "./screens/pair";
import { SymbolScreen } from "./screens/symbol";
import { SystemScreen } from "./screens/system";
import { TapeScreen } from "./screens/tape";
import { Announcer } from "./ui/announcer";
import { Banners } from "./ui/banners";
import { Boundary } from "./ui/boundary";
import { toggleZone } from "./ui/clock";
import { ContextBar, chooseInterval } from "./ui/context-bar";
import { Help } from "./ui/help";
import { Notice } from "./ui/notice";
import { MarketPicker, MethodPicker, ZonePicker } from "./ui/pickers";
import { Rail } from "./ui/rail";
import { StatusBar } from "./ui/status-bar";
import { type Shown, useConfig, useShownTopic } from "./wire/context";
import { pairTopic, scaleOf, symbolTopic } from "./wire/topic";

type Overlay = "market" | "method" | "zone" | "help" | undefined;

export function App() {
  const place = usePlace();
  const config = useConfig();
  const [overlay, setOverlay] = useState<Overlay>();
  const tf = place.view.tf ?? config.metric_interval;
  const window = place.view.w ?? config.window;
  const { hedge = USUAL_TERMS.method, prices = USUAL_TERMS.prices, intercept = true } = place.view;
  const terms: Terms = { method: hedge, prices, intercept };
  const stepMs = intervalMs(tf) ?? 1_000;
  const symbols = symbolsOf(place.route);
  const isChart = symbols.length > 0;
  const isPair = place.route.screen === "pair";
  const isMatrix = place.route.screen === "correlation";
  const shown = useShownTopic(topicOf(place.route, tf, window, terms), symbols.join());
  useHome(place);
  useKeys({
    "1": () => go(placeTo("pair", place, config)),
    "2": () => go(placeTo("symbol", place, config)),
    "3": () => go(placeTo("correlation", place, config)),
    "6": () => go(placeTo("tape", place, config)),
    "7": () => go(placeTo("system", place, config)),
    "[": () => (isChart || isMatrix) && chooseInterval(neighbour(config.intervals, tf, -1)),
    "]": () => (isChart || isMatrix) && chooseInterval(neighbour(config.intervals, tf, 1)),
    v: () => isChart && changeView({ view: place.view.view ? undefined : "table" }),
    z: () => toggleZone(place.view.tz),
    h: () => isPair && setOverlay("method"),
    "/": () => setOverlay("market"),
    "mod+k": () => setOverlay("market"),
    "?": () => setOverlay("help"),
  });
  const close = () => setOverlay(undefined);
  return (
    <Tooltip.Provider delay={250}>
      <div className="grid h-full grid-cols-[minmax(0,1fr)] grid-rows-[auto_auto_minmax(0,1fr)_auto_auto] sm:grid-cols-[68px_minmax(0,1fr)] sm:grid-rows-[auto_auto_minmax(0,1fr)_auto]">
        <Rail />
        <ContextBar
          title={titleOf(place.route)}
          tf={isChart || isMatrix ? tf : undefined}
          window={isPair || isMatrix ? window : undefined}
          terms={isPair ? terms : undefined}
          symbols={symbols}
          stepMs={isChart ? stepMs : 1_000}
          onPickMethod={() => setOverlay("method")}
          onPick={() => setOverlay("market")}
          onPickZone={() => setOverlay("zone")}
          onHelp={() => setOverlay("help")}
        />
        <Banners />
        <main className="min-h-0 sm:col-start-2">
          <Boundary key={place.route.screen}>
            <Screen route={place.route} {...{ tf, window, terms, shown }} />
          </Boundary>
        </main>
        <StatusBar topic={shown.topic} />
      </div>
      <Announcer symbols={symbols} stepMs={stepMs} />
      <MarketPicker open={overlay === "market"} onClose={close} />
      <MethodPicker open={overlay === "method"} onClose={close} />
      <ZonePicker open={overlay === "zone"} onClose={close} />
      <Help open={overlay === "help"} onClose={close} />
    </Tooltip.Provider>
  );
}

interface ScreenProps {
  route: Route;
  tf: string;
  window: number;
  terms: Terms;
  shown: Shown;
}

function Screen({ route, shown, ...asked }: ScreenProps) {
  const config = useConfig();
  // What is on the screen is labelled as what it is, also while something else is being loaded.
  const scale = shown.topic && scaleOf(shown.topic.name);
  const tf = scale?.tf ?? asked.tf;
  const window = scale?.window ?? asked.window;
  const terms = scale?.terms ?? asked.terms;
  const decimals = (symbol: string) => config.symbols.find((info) => info.symbol === symbol)?.price_decimals ?? 2;
  switch (route.screen) {
    case "pair":
      return <PairScreen y={route.y} x={route.x} {...{ tf, window, terms, shown, decimals }} />;
    case "symbol":
      return <SymbolScreen symbol={route.symbol} {...{ tf, shown, decimals }} />;
    case "correlation":
      return <CorrelationScreen {...asked} />;
    case "tape":
      return <TapeScreen />;
    case "system":
      return <SystemScreen />;
    case "home":
      return <Notice title="No symbol is watched">Start pairscope with at least one: --symbols BTCUSDT,ETHUSDT</Notice>;
    case "unknown":
      return <Notice title="There is no such page">Press / to find a pair or a symbol.</Notice>;
  }
}

const symbolsOf = (route: Route): string[] =>
  route.screen === "pair" ? [route.y, route.x] : route.screen === "symbol" ? [route.symbol] : [];

function topicOf(route: Route, tf: string, window: number, terms: Terms): string | undefined {
  if (route.screen === "pair") return pairTopic(route.y, route.x, tf, window, terms);
  return route.screen === "symbol" ? symbolTopic(route.symbol, tf) : undefined;
}

function titleOf(route: Route): string {
  if (route.screen === "pair") return pairName(route.y, route.x);
  return route.screen === "symbol" ? route.symbol : "Find…";
}

/** Home is the pair that the server opens on, or the first symbol when only one is watched. */
function useHome(place: Place): void {
  const config = useConfig();
  const isHome = place.route.screen === "home";
  useEffect(() => {
    if (!isHome) return;
    const { pair, interval, window } = config.opening;
    const [symbol] = config.symbols;
    const view = { tf: interval, w: window, ...place.view };
    if (pair) go({ route: { screen: "pair", ...splitPair(pair) }, view }, true);
    else if (symbol) go({ route: { screen: "symbol", symbol: symbol.symbol }, view }, true);
  }, [isHome, config, place.view]);
}
