// The figures of the indicators at the bar looked at.

import type { MetricInfo } from "../api.gen";
import { type Indicator, kindOf, metricOf, periodOf } from "../lib/indicators";
import { valueText } from "../lib/quantity";
import { lowerBound } from "../wire/columns";
import type { TopicState } from "../wire/state";
import { panesOf } from "./indicator-layers";
import { Figure, type LegendOf, rowAt, Title, tone } from "./legend";
import type { Table } from "./table-view";

type Catalogue = ReadonlyMap<string, MetricInfo>;

const TONES = { sma: "text-fg", ema: "text-replay", rsi: "text-ok", z: "", vol: "text-vwap" } as const;

/** `SMA 20`, `RSI 14`, `Price z`: short where everybody knows the short name. */
export function indicatorTitle({ name, period }: Indicator, catalogue: Catalogue): string {
  const info = catalogue.get(kindOf(name).metric);
  const parameter = periodOf(info);
  return parameter ? `${name.toUpperCase()} ${period ?? parameter.default}` : (info?.title ?? name);
}

function Value({ indicator, state, row, decimals, title }: ValueProps) {
  const metric = metricOf(indicator);
  const value = state.series?.[metric]?.[row];
  const { name } = indicator;
  return (
    <Figure name={title} tone={name === "z" ? tone(-(value ?? 0)) : TONES[name]}>
      {valueText(metric, value, UNITS[name], decimals)}
    </Figure>
  );
}

interface ValueProps {
  indicator: Indicator;
  state: TopicState;
  row: number;
  decimals: number;
  title: string;
}

const UNITS = { sma: "price", ema: "price", rsi: "1", z: "1", vol: "ln per bar" } as const;

interface Legended {
  over: LegendOf; // beside the price
  panes: LegendOf[];
}

export function indicatorLegends(
  shown: readonly Indicator[],
  catalogue: Catalogue,
  decimals: number,
  window: number,
): Legended {
  const rowOf = (state: TopicState, timeMs: number | undefined) => rowAt(state.series?.open_time_ms, timeMs);
  const lines = shown.filter(({ name }) => kindOf(name).place === "price");
  return {
    over: ({ state, timeMs }) =>
      lines.map((indicator) => (
        <Value
          key={indicator.name}
          title={indicatorTitle(indicator, catalogue)}
          row={rowOf(state, timeMs)}
          {...{ indicator, state, decimals }}
        />
      )),
    panes: panesOf(shown).map((indicator) => ({ state, timeMs }) => (
      <>
        <Title>{indicatorTitle(indicator, catalogue)}</Title>
        <Value
          title={indicator.name === "rsi" ? "" : String(window)}
          row={rowOf(state, timeMs)}
          {...{ indicator, state, decimals }}
        />
      </>
    )),
  };
}

/** The columns of the indicators, for the table of the same rows. */
export const indicatorColumns = (
  shown: readonly Indicator[],
  catalogue: Catalogue,
  decimals: number,
): Table["columns"] =>
  shown.map((indicator) => {
    const metric = metricOf(indicator);
    const cell = ({ bars, series }: TopicState, row: number) => {
      const timeMs = bars?.open_time_ms[row];
      if (!series || timeMs === undefined) return "";
      const at = lowerBound(series.open_time_ms, timeMs);
      const value = series.open_time_ms[at] === timeMs ? series[metric]?.[at] : undefined;
      return valueText(metric, value, UNITS[indicator.name], decimals);
    };
    return [indicatorTitle(indicator, catalogue), cell];
  });
