// What stands on the charts of the two screens: panes, series, scales.

import { CandlestickSeries, HistogramSeries, LineSeries, type PriceFormatCustom } from "lightweight-charts";
import { fixed, signed } from "../lib/format";
import { type Indicator, VWAP } from "../lib/indicators";
import type { Prices } from "../lib/methods";
import type { TopicState } from "../wire/state";
import { indicatorLayers } from "./indicator-layers";
import type { Build, Chart, Layer } from "./live-chart";
import { baseline, buyVolumes, candles, line, lostMarks, measured, type PairColumn, volumes } from "./points";
import { custom, dashed, price, quiet, zSeries } from "./series";
import { COLORS } from "./theme";

export function symbolLayers(decimals: number, shown: readonly Indicator[]): Build {
  return (chart) => {
    const layers = [
      candleLayer(chart, decimals),
      lostLayer(chart),
      vwapLayer(chart, decimals),
      ...volumeLayers(chart, 1, "right"),
      ...indicatorLayers(chart, shown, decimals),
    ];
    stretch(chart, [4, 1]);
    return layers;
  };
}

export function pairLayers(decimals: number, prices: Prices): Build {
  return (chart) => {
    const label = prices === "level" ? price(decimals) : custom(1e-8, basisPointsLabel);
    const spread = pairLine(chart, "spread", 1, COLORS.spread, label);
    const layers: Layer[] = [
      spread,
      candleLayer(chart, decimals),
      lostLayer(chart),
      ...volumeLayers(chart, 0, "volume"),
      overlayX(chart),
      zLayer(chart),
      pairLine(
        chart,
        "correlation",
        3,
        COLORS.correlation,
        custom(0.001, (value) => fixed(value, 3)),
      ),
    ];
    spread.series.createPriceLine({ ...dashed, price: 0, color: COLORS.zero });
    stretch(chart, [3.2, 1.2, 1.5, 1]);
    return layers;
  };
}

const basisPointsLabel = (value: number) => signed(value * 1e4, 2);

function stretch(chart: Chart, factors: number[]): void {
  chart.panes().forEach((pane, i) => {
    pane.setStretchFactor(factors[i] ?? 1);
  });
}

function candleLayer(chart: Chart, decimals: number): Layer {
  const series = chart.addSeries(
    CandlestickSeries,
    {
      upColor: COLORS.up,
      downColor: COLORS.down,
      wickUpColor: COLORS.up,
      wickDownColor: COLORS.down,
      borderVisible: false,
      priceFormat: price(decimals),
    },
    0,
  );
  return {
    series,
    table: (state) => state.bars,
    points: (state, from) => (state.bars ? candles(state.bars, from) : []),
    label: "close",
  };
}

/** Reddish bands behind the bars of which trades are missing. */
function lostLayer(chart: Chart): Layer {
  const series = chart.addSeries(HistogramSeries, { ...quiet, priceScaleId: "lost" }, 0);
  chart.priceScale("lost", 0).applyOptions({ scaleMargins: { top: 0, bottom: 0 }, visible: false });
  return {
    series,
    table: (state) => state.bars,
    points: (state, from) => (state.bars ? lostMarks(state.bars, from) : []),
  };
}

/** Along time, as the server has it. */
function vwapLayer(chart: Chart, decimals: number): Layer {
  const series = chart.addSeries(
    LineSeries,
    { ...quiet, color: COLORS.vwap, lineWidth: 1, priceFormat: price(decimals) },
    0,
  );
  return {
    series,
    table: (state) => state.series,
    resets: (state) => state.seriesResets,
    points: (state, from, stepMs) => (state.series ? measured(state.series, VWAP, stepMs, from) : []),
  };
}

/** All volume, and in front of it what buyers took: the part that stays visible was sold. */
function volumeLayers(chart: Chart, pane: number, scale: string): Layer[] {
  const options = { ...quiet, priceScaleId: scale, priceFormat: { type: "volume" } } as const;
  const all = chart.addSeries(HistogramSeries, { ...options, color: COLORS.sold }, pane);
  const bought = chart.addSeries(HistogramSeries, { ...options, color: COLORS.bought }, pane);
  const isOverlay = scale !== "right";
  chart.priceScale(scale, pane).applyOptions({ scaleMargins: { top: isOverlay ? 0.84 : 0.18, bottom: 0 } });
  return [
    {
      series: all,
      table: (state) => state.bars,
      points: (state, from) => (state.bars ? volumes(state.bars, from) : []),
    },
    {
      series: bought,
      table: (state) => state.bars,
      points: (state, from) => (state.bars ? buyVolumes(state.bars, from) : []),
    },
  ];
}

/** The price of x over the candles of y, on a scale of its own. */
function overlayX(chart: Chart): Layer {
  const series = chart.addSeries(
    LineSeries,
    { color: COLORS.x, lineWidth: 1, lastValueVisible: false, priceLineVisible: false, priceScaleId: "x" },
    0,
  );
  chart.priceScale("x", 0).applyOptions({ scaleMargins: { top: 0.1, bottom: 0.2 } });
  return pairLayer(series, "x");
}

function pairLine(chart: Chart, column: PairColumn, pane: number, color: string, format: PriceFormatCustom): Layer {
  const series = chart.addSeries(
    LineSeries,
    { color, lineWidth: 1, priceLineVisible: false, priceFormat: format },
    pane,
  );
  return { ...pairLayer(series, column), hasNow: hasNow(column), label: column };
}

function pairLayer(series: Layer["series"], column: PairColumn, make: typeof line | typeof baseline = line): Layer {
  return {
    series,
    table: (state) => state.pair,
    points: (state, from, stepMs) => (state.pair ? make(state.pair, column, stepMs, from) : []),
  };
}

const hasNow = (column: PairColumn) => (state: TopicState) => state.pair?.[column].at(-1) != null;

function zLayer(chart: Chart): Layer {
  return { ...pairLayer(zSeries(chart, 2), "spread_z", baseline), hasNow: hasNow("spread_z"), label: "spread_z" };
}
