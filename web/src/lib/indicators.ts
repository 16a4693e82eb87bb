// Which indicators are on the chart of a symbol, as the address has them: `sma.50,rsi`. Without a period it is the
// catalogue's.

import type { MetricInfo } from "../api.gen";

interface Kind {
  metric: string; // in the catalogue
  place: "price" | "pane";
}

const KINDS = {
  sma: { metric: "sma", place: "price" },
  ema: { metric: "ema", place: "price" },
  rsi: { metric: "rsi", place: "pane" },
  z: { metric: "price_z", place: "pane" },
  vol: { metric: "volatility", place: "pane" },
} satisfies Record<string, Kind>;

export type IndicatorName = keyof typeof KINDS;

export interface Indicator {
  name: IndicatorName;
  period?: number;
}

export const INDICATOR_NAMES = Object.keys(KINDS) as IndicatorName[];
const USUAL: readonly Indicator[] = [{ name: "sma" }, { name: "rsi" }];
const NONE = "none";

/** Always on the chart of a symbol, besides what is chosen. */
export const VWAP = "vwap";

export const kindOf = (name: IndicatorName): Kind => KINDS[name];

/** The name under which the server gives it: as live metrics have it when the period is the usual one. */
export const metricOf = ({ name, period }: Indicator): string =>
  period === undefined ? KINDS[name].metric : `${KINDS[name].metric}:period=${period}`;

export function parseIndicators(text: string | undefined): readonly Indicator[] {
  if (text === undefined) return USUAL;
  const asked = new Map(
    text
      .split(",")
      .map((word) => word.split(".", 2))
      .map(([name, period]) => [name, period]),
  );
  return INDICATOR_NAMES.filter((name) => asked.has(name)).map((name) => {
    const period = Number(asked.get(name));
    return Number.isInteger(period) && period > 0 ? { name, period } : { name };
  });
}

/** For the address; undefined for what is shown anyway. */
export function writeIndicators(shown: readonly Indicator[]): string | undefined {
  const write = (list: readonly Indicator[]) =>
    INDICATOR_NAMES.flatMap((name) => list.filter((each) => each.name === name))
      .map(({ name, period }) => (period === undefined ? name : `${name}.${period}`))
      .join();
  const text = write(shown);
  return text === write(USUAL) ? undefined : text || NONE;
}

/** The period parameter of an indicator; undefined when it has none. */
export const periodOf = (info: MetricInfo | undefined) => info?.parameters.find(({ name }) => name === "period");

/** Bars of the window that an indicator wants, until what was before is forgotten; undefined when any will do. */
export function barsWanted(info: MetricInfo | undefined, { period }: Indicator): number | undefined {
  const parameter = periodOf(info);
  return parameter?.wants_each ? parameter.wants_each * (period ?? Number(parameter.default)) : undefined;
}

/** `shown` with one indicator in, out, or of another period. */
export function toggled(shown: readonly Indicator[], name: IndicatorName): readonly Indicator[] {
  return shown.some((each) => each.name === name) ? shown.filter((each) => each.name !== name) : [...shown, { name }];
}

export const withPeriod = (shown: readonly Indicator[], name: IndicatorName, period: number | undefined) =>
  shown.map((each) => (each.name !== name ? each : period === undefined ? { name } : { name, period }));
