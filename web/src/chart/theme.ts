// Colours and options of every chart. The same colours as in index.css: a canvas cannot read those.

import { ColorType, type DeepPartial, type TimeChartOptions } from "lightweight-charts";
import { dateTime } from "../lib/time";

export const COLORS = {
  background: "#0b0e14",
  grid: "#141a24",
  line: "#1f2630",
  text: "#8b96a5",
  up: "#4c9be8",
  down: "#f0a04b",
  bought: "#2d587f",
  sold: "#6d4c2a",
  x: "#8b96a5",
  vwap: "#d9c06a",
  sma: "#d7dde6",
  ema: "#b9a6f2",
  rsi: "#3fb68b",
  volatility: "#d9c06a",
  spread: "#b9a6f2",
  correlation: "#3fb68b",
  lost: "rgba(229,72,77,0.16)",
  hole: "rgba(139,150,165,0.07)",
  hatch: "rgba(240,160,75,0.28)",
  threshold: "#5b6675",
  zero: "#2a3340",
  none: "rgba(0,0,0,0)",
} as const;

export function chartOptions(zone: string): DeepPartial<TimeChartOptions> {
  return {
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: COLORS.background },
      textColor: COLORS.text,
      fontSize: 11,
      fontFamily: 'ui-sans-serif, system-ui, "Segoe UI", Roboto, sans-serif',
      panes: { separatorColor: COLORS.line, separatorHoverColor: "rgba(76,155,232,0.25)", enableResize: true },
      // The logo brings a style sheet of its own into the page, which its Content-Security-Policy forbids.
      // The link and the notice stand in the status bar and on the System screen instead.
      attributionLogo: false,
    },
    grid: { vertLines: { color: COLORS.grid }, horzLines: { color: COLORS.grid } },
    crosshair: {
      mode: 0,
      vertLine: { color: "#5b6675", labelBackgroundColor: "#2a3340" },
      horzLine: { color: "#5b6675", labelBackgroundColor: "#2a3340" },
    },
    timeScale: {
      timeVisible: true,
      secondsVisible: true,
      borderColor: COLORS.line,
      minBarSpacing: 0.05,
      barSpacing: 6,
      rightOffset: RIGHT_OFFSET,
      // A new bar may stand on a time that a hole or an absent value has put on the axis before.
      allowShiftVisibleRangeOnWhitespaceReplacement: true,
    },
    rightPriceScale: { borderColor: COLORS.line, minimumWidth: 76, entireTextOnly: true },
    localization: { timeFormatter: (time: unknown) => dateTime(Number(time) * 1000, zone) },
  };
}

export const RIGHT_OFFSET = 5; // empty bars between the newest one and the axis
