// What stands on the charts of the two screens: panes, series, scales.

import {
  type AutoscaleInfo,
  BaselineSeries,
  CandlestickSeries,
  HistogramSeries,
  LineSeries,
  LineStyle,
  type PriceFormatCustom,
} from "lightweight-charts";
import { fixed, signed } from "../lib/format";
import type { TopicState } from "../wire/topic";
import type { Build, Chart, Layer } from "./live-chart";
import { baseline, buyVolumes, candles, line, lostMarks, type PairColumn, volumes, vwapLine } from "./points";
import { COLORS } from "./theme";

/** |z| at which the spread counts as stretched: where the lines are drawn. */
export const Z_THRESHOLD = 2;

const custom = (minMove: number, formatter: (value: number) => string): PriceFormatCustom => ({
  type: "custom",
  minMove,
  formatter,
});

const price = (decimals: number) => custom(10 ** -decimals, (value) => fixed(value, decimals));
const quiet = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false } as const;

export function symbolLayers(decimals: number, window: number): Build {
  return (chart) => {
    const layers = [
      candleLayer(chart, decimals),
      lostLayer(chart),
      vwapLayer(chart, decimals, window),
      ...volumeLayers(chart, 1, "right"),
    ];
    stretch(chart, [4, 1]);
    return layers;
  };
}

export function pairLayers(decimals: number): Build {
  return (chart) => {
    const spread = pairLine(chart, "spread", 1, COLORS.spread, custom(1e-8, basisPointsLabel));
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

function vwapLayer(chart: Chart, decimals: number, window: number): Layer {
  const series = chart.addSeries(
    LineSeries,
    { ...quiet, color: COLORS.vwap, lineWidth: 1, priceFormat: price(decimals) },
    0,
  );
  return {
    series,
    table: (state) => state.bars,
    points: (state, from, stepMs) => (state.bars ? vwapLine(state.bars, window, stepMs, from) : []),
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
  return { ...pairLayer(series, column), hasNow: hasNow(column) };
}

function pairLayer(series: Layer["series"], column: PairColumn, make: typeof line | typeof baseline = line): Layer {
  return {
    series,
    table: (state) => state.pair,
    points: (state, from, stepMs) => (state.pair ? make(state.pair, column, stepMs, from) : []),
  };
}

const hasNow = (column: PairColumn) => (state: TopicState) => state.pair?.[column].at(-1) != null;

const dashed = { lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: false, title: "" } as const;

function zLayer(chart: Chart): Layer {
  const series = chart.addSeries(
    BaselineSeries,
    {
      baseValue: { type: "price", price: 0 },
      lineWidth: 1,
      topLineColor: COLORS.down,
      topFillColor1: "rgba(240,160,75,0.20)",
      topFillColor2: "rgba(240,160,75,0)",
      bottomLineColor: COLORS.up,
      bottomFillColor1: "rgba(76,155,232,0)",
      bottomFillColor2: "rgba(76,155,232,0.20)",
      priceLineVisible: false,
      priceFormat: custom(0.01, (value) => signed(value, 2)),
      autoscaleInfoProvider: (original: () => AutoscaleInfo | null) => aroundThresholds(original()),
    },
    2,
  );
  for (const at of [Z_THRESHOLD, -Z_THRESHOLD]) {
    series.createPriceLine({ ...dashed, price: at, color: COLORS.threshold });
  }
  series.createPriceLine({ ...dashed, price: 0, color: COLORS.zero });
  return { ...pairLayer(series, "spread_z", baseline), hasNow: hasNow("spread_z") };
}

/** Both thresholds stay in sight, whatever the values. */
function aroundThresholds(info: AutoscaleInfo | null): AutoscaleInfo {
  const edge = Z_THRESHOLD * 1.2;
  const range = info?.priceRange;
  return {
    ...info,
    priceRange: {
      minValue: Math.min(range?.minValue ?? -edge, -edge),
      maxValue: Math.max(range?.maxValue ?? edge, edge),
    },
  };
}
