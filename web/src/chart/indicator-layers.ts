// Indicators of a symbol: lines over its price, and panes of their own below the volume.

import { LineSeries } from "lightweight-charts";
import { basisPoints, fixed } from "../lib/format";
import { type Indicator, type IndicatorName, kindOf, metricOf } from "../lib/indicators";
import type { Chart, Layer } from "./live-chart";
import { aroundBase, measured } from "./points";
import { custom, dashed, price, quiet, zSeries } from "./series";
import { COLORS } from "./theme";

/** Below the price and the volume. */
const FIRST_PANE = 2;

/** Between these an RSI says nothing. */
const RSI_BOUNDS = [30, 70];

export const panesOf = (shown: readonly Indicator[]): readonly Indicator[] =>
  shown.filter(({ name }) => kindOf(name).place === "pane");

export function indicatorLayers(chart: Chart, shown: readonly Indicator[], decimals: number): Layer[] {
  const panes = panesOf(shown);
  return shown.map((indicator) => {
    const pane = panes.indexOf(indicator);
    const series = MAKERS[indicator.name](chart, pane < 0 ? 0 : FIRST_PANE + pane, decimals);
    return layerOf(series, indicator);
  });
}

function layerOf(series: Layer["series"], indicator: Indicator): Layer {
  const metric = metricOf(indicator);
  const isAround = indicator.name === "z";
  return {
    series,
    table: (state) => state.series,
    resets: (state) => state.seriesResets,
    points: (state, from, stepMs) => {
      const points = state.series ? measured(state.series, metric, stepMs, from) : [];
      return isAround ? points.map(aroundBase) : points;
    },
    ...(kindOf(indicator.name).place === "pane" && { hasNow: (state) => state.series?.[metric]?.at(-1) != null }),
  };
}

type Maker = (chart: Chart, pane: number, decimals: number) => Layer["series"];

const overlay =
  (color: string): Maker =>
  (chart, pane, decimals) =>
    chart.addSeries(LineSeries, { ...quiet, color, lineWidth: 1, priceFormat: price(decimals) }, pane);

const MAKERS: Record<IndicatorName, Maker> = {
  sma: overlay(COLORS.sma),
  ema: overlay(COLORS.ema),
  rsi: (chart, pane) => {
    const series = chart.addSeries(
      LineSeries,
      {
        color: COLORS.rsi,
        lineWidth: 1,
        priceLineVisible: false,
        priceFormat: custom(0.1, (value) => fixed(value, 1)),
        autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 100 } }),
      },
      pane,
    );
    chart.priceScale("right", pane).applyOptions({ scaleMargins: { top: 0.04, bottom: 0.04 } });
    for (const at of RSI_BOUNDS) series.createPriceLine({ ...dashed, price: at, color: COLORS.threshold });
    return series;
  },
  z: (chart, pane) => zSeries(chart, pane),
  vol: (chart, pane) =>
    chart.addSeries(
      LineSeries,
      {
        color: COLORS.volatility,
        lineWidth: 1,
        priceLineVisible: false,
        priceFormat: custom(1e-9, (value) => basisPoints(value).replace("+", "")),
      },
      pane,
    ),
};
