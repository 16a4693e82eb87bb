// Which screen an address means, and the shell around it.

import { Tooltip } from "@base-ui/react/tooltip";
import { useEffect, useState } from "react";
import { neighbour, placeTo } from "./lib/destinations";
import { type Keymap, useKeys } from "./lib/keys";
import { USUAL_TERMS } from "./lib/methods";
import { intervalMs } from "./lib/time";
import { changeView, go, HOME, type Place, type Route, usePlace } from "./lib/url";
import { SCREENS } from "./screens/list";
import { Announcer } from "./ui/announcer";
import { Banners } from "./ui/banners";
import { Boundary } from "./ui/boundary";
import { toggleZone } from "./ui/clock";
import { ContextBar, chooseInterval } from "./ui/context-bar";
import { Help } from "./ui/help";
import { Notice } from "./ui/notice";
import { MarketPicker, MethodPicker, ZonePicker } from "./ui/pickers";
import { Rail } from "./ui/rail";
import type { Measure, Screen } from "./ui/screen";
import { StatusBar } from "./ui/status-bar";
import { type Shown, useConfig, useShownTopic } from "./wire/context";
import { scaleOf } from "./wire/topic";

type Overlay = "market" | "method" | "zone" | "help" | undefined;

/** The screen of an address; undefined at home, and where an address has no screen, or not the symbols it takes. */
const screenOf = ({ screen, symbols }: Route): Screen | undefined =>
  SCREENS.find(({ name, takes }) => name === screen && takes === symbols.length);

export function App() {
  const place = usePlace();
  const config = useConfig();
  const [overlay, setOverlay] = useState<Overlay>();
  const { route, view } = place;
  const { hedge = USUAL_TERMS.method, prices = USUAL_TERMS.prices, intercept = true } = view;
  const asked: Measure = {
    tf: view.tf ?? config.metric_interval,
    window: view.w ?? config.window,
    terms: { method: hedge, prices, intercept },
  };
  const screen = screenOf(route);
  const symbols = screen ? route.symbols : [];
  const has = (field: Screen["has"][number]) => screen?.has.includes(field) === true;
  const isLive = screen?.topic !== undefined;
  const stepMs = isLive ? (intervalMs(asked.tf) ?? 1_000) : 1_000;
  const shown = useShownTopic(screen?.topic?.(symbols, asked), symbols.join());
  useHome(place);
  const step = (steps: number) => () => has("interval") && chooseInterval(neighbour(config.intervals, asked.tf, steps));
  const toScreens: Keymap = Object.fromEntries(
    SCREENS.map((each) => [each.key, () => go(placeTo(each, place, config))]),
  );
  useKeys({
    ...toScreens,
    "[": step(-1),
    "]": step(1),
    v: () => isLive && changeView({ view: view.view ? undefined : "table" }),
    z: () => toggleZone(view.tz),
    h: () => has("terms") && setOverlay("method"),
    "/": () => setOverlay("market"),
    "mod+k": () => setOverlay("market"),
    "?": () => setOverlay("help"),
  });
  const close = () => setOverlay(undefined);
  return (
    <Tooltip.Provider delay={250}>
      <div className="grid h-full grid-cols-[minmax(0,1fr)] grid-rows-[auto_auto_minmax(0,1fr)_auto_auto] sm:grid-cols-[68px_minmax(0,1fr)] sm:grid-rows-[auto_auto_minmax(0,1fr)_auto]">
        <Rail screens={SCREENS} />
        <ContextBar
          title={screen?.heading?.(symbols, config) ?? "Find…"}
          tf={has("interval") ? asked.tf : undefined}
          window={has("window") ? asked.window : undefined}
          terms={has("terms") ? asked.terms : undefined}
          symbols={symbols}
          stepMs={stepMs}
          onPickMethod={() => setOverlay("method")}
          onPick={() => setOverlay("market")}
          onPickZone={() => setOverlay("zone")}
          onHelp={() => setOverlay("help")}
        />
        <Banners />
        <main className="min-h-0 sm:col-start-2">
          <Boundary key={route.screen}>
            {screen ? <Picture {...{ screen, symbols, asked, shown }} /> : <Nowhere route={route} />}
          </Boundary>
        </main>
        <StatusBar topic={shown.topic} />
      </div>
      <Announcer symbols={symbols} stepMs={stepMs} />
      <MarketPicker screens={SCREENS} open={overlay === "market"} onClose={close} />
      <MethodPicker open={overlay === "method"} onClose={close} />
      <ZonePicker open={overlay === "zone"} onClose={close} />
      <Help screens={SCREENS} open={overlay === "help"} onClose={close} />
    </Tooltip.Provider>
  );
}

interface PictureProps {
  screen: Screen;
  symbols: readonly string[];
  asked: Measure;
  shown: Shown;
}

function Picture({ screen: { View }, symbols, asked, shown }: PictureProps) {
  const config = useConfig();
  // What is on the screen is labelled as what it is, also while something else is being loaded.
  const scale = shown.topic && scaleOf(shown.topic.name);
  const measure: Measure = {
    tf: scale?.tf ?? asked.tf,
    window: scale?.window ?? asked.window,
    terms: scale?.terms ?? asked.terms,
  };
  const decimals = (symbol: string) => config.symbols.find((info) => info.symbol === symbol)?.price_decimals ?? 2;
  return <View {...{ symbols, shown, decimals }} {...measure} />;
}

const Nowhere = ({ route }: { route: Route }) =>
  route.screen === HOME.screen ? (
    <Notice title="No symbol is watched">Start pairscope with at least one: --symbols BTCUSDT,ETHUSDT</Notice>
  ) : (
    <Notice title="There is no such page">Press / to find a pair or a symbol.</Notice>
  );

/** Home is the pair that the server opens on, or the first symbol when only one is watched. */
function useHome(place: Place): void {
  const config = useConfig();
  const isHome = place.route.screen === HOME.screen;
  useEffect(() => {
    if (!isHome) return;
    const { legs, interval, window } = config.opening;
    const [first] = config.symbols;
    const view = { tf: interval, w: window, ...place.view };
    if (legs) go({ route: { screen: "pair", symbols: [legs.y, legs.x] }, view }, true);
    else if (first) go({ route: { screen: "symbol", symbols: [first.symbol] }, view }, true);
  }, [isHome, config, place.view]);
}
