// What several layers have in common: formats, quiet options, and a z with its thresholds.

import { type AutoscaleInfo, BaselineSeries, LineStyle, type PriceFormatCustom } from "lightweight-charts";
import { Z_THRESHOLD } from "../api.gen";
import { fixed, signed } from "../lib/format";
import type { Chart, Layer } from "./live-chart";
import { COLORS } from "./theme";

export const custom = (minMove: number, formatter: (value: number) => string): PriceFormatCustom => ({
  type: "custom",
  minMove,
  formatter,
});

export const price = (decimals: number) => custom(10 ** -decimals, (value) => fixed(value, decimals));
export const quiet = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false } as const;

export const dashed = { lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: false, title: "" } as const;

/** A z with its thresholds, blue below zero and orange above. */
export function zSeries(chart: Chart, pane: number): Layer["series"] {
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
    pane,
  );
  for (const at of [Z_THRESHOLD, -Z_THRESHOLD]) {
    series.createPriceLine({ ...dashed, price: at, color: COLORS.threshold });
  }
  series.createPriceLine({ ...dashed, price: 0, color: COLORS.zero });
  return series;
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
