import { carried, placeTo } from "../lib/destinations";
import { METHOD_NAMES, METHODS, type Method, USUAL_METHOD } from "../lib/methods";
import { pairName } from "../lib/names";
import { localZone, UTC, zoneLabel } from "../lib/time";
import { changeView, go, usePlace } from "../lib/url";
import { useConfig, useHub } from "../wire/context";
import { useTermRemark } from "./method-button";
import { type Choice, Picker } from "./picker";
import type { Screen } from "./screen";

interface Props {
  open: boolean;
  onClose: () => void;
}

export function MarketPicker({ screens, open, onClose }: Props & { screens: readonly Screen[] }) {
  const config = useConfig();
  const place = usePlace();
  const view = carried(place.view);
  const choices: Choice[] = [
    ...config.legs.map(({ y, x }) => {
      return {
        value: `${y}/${x}`,
        label: pairName(y, x, config),
        detail: `${y} on ${x}`,
        choose: () => go({ route: { screen: "pair", symbols: [y, x] }, view }),
      };
    }),
    ...config.symbols.map(({ symbol }) => ({
      value: symbol,
      label: symbol,
      detail: "symbol",
      choose: () => go({ route: { screen: "symbol", symbols: [symbol] }, view }),
    })),
    ...screens.map((screen) => ({
      value: `screen ${screen.name}`,
      label: screen.title,
      detail: "screen",
      choose: () => go(placeTo(screen, place, config)),
    })),
  ];
  return (
    <Picker open={open} onClose={onClose} title="Find a pair or a symbol" placeholder="eth btc" choices={choices} />
  );
}

export function MethodPicker({ open, onClose }: Props) {
  const { prices, intercept } = usePlace().view;
  const remark = useTermRemark("method");
  const ofPrices = useTermRemark("prices");
  const ofIntercept = useTermRemark("intercept");
  const set = (method: Method) => () => changeView({ hedge: method === USUAL_METHOD ? undefined : method });
  const choices: Choice[] = METHODS.map((method) => ({
    value: method,
    label: METHOD_NAMES[method],
    detail: remark(method),
    choose: set(method),
  }));
  const isLevel = prices === "level";
  choices.push({
    value: "prices",
    label: isLevel ? "Logarithms" : "Prices",
    detail: ofPrices(isLevel ? "log" : "level"),
    choose: () => changeView({ prices: isLevel ? undefined : "level" }),
  });
  choices.push({
    value: "intercept",
    label: intercept === false ? "Line with intercept" : "Line through zero",
    detail: ofIntercept(intercept === false ? "true" : "false"),
    choose: () => changeView({ intercept: intercept === false ? undefined : false }),
  });
  return <Picker isWordy {...{ open, onClose, choices }} title="Choose how the hedge is fitted" placeholder="kalman" />;
}

export function ZonePicker({ open, onClose }: Props) {
  const now = useHub().serverNowMs();
  if (!open) return null;
  const set = (tz: string | undefined) => () => changeView({ tz });
  const choices: Choice[] = [
    { value: "utc", label: UTC, detail: "default", choose: set(undefined) },
    { value: "local", label: "Local time", detail: localZone(), choose: set("local") },
    ...Intl.supportedValuesOf("timeZone").map((zone) => ({
      value: zone,
      label: zone.replaceAll("_", " "),
      detail: zoneLabel(zone, now).split(" ").at(-1) ?? "",
      choose: set(zone),
    })),
  ];
  return <Picker open onClose={onClose} title="Choose a time zone" placeholder="Berlin" choices={choices} />;
}
