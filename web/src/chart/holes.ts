// Stretches of time without bars: found in the columns, and shown as bands over all panes of a chart.

import type { IChartApiBase, IPanePrimitive, IPrimitivePaneRenderer, Time, UTCTimestamp } from "lightweight-charts";
import type { PairColumns } from "../api.gen";
import { duration } from "../lib/format";
import { limits } from "../wire/freshness";
import type { Topic, TopicState } from "../wire/state";
import { staleLimitMs, WIDEST_GAP } from "./points";
import { COLORS } from "./theme";

export interface Hole {
  lastMs: number; // open time of the last bar before it
  nextMs: number; // open time of the first bar after it
  isCut: boolean; // drawn shorter than it is
}

/** Holes that are longer than a value may be carried on. `isThere` says which rows have a value. */
export function holesIn(times: readonly number[], stepMs: number, isThere: (row: number) => boolean): Hole[] {
  const holes: Hole[] = [];
  const limitMs = staleLimitMs(stepMs);
  let lastMs: number | undefined;
  let isCut = false;
  times.forEach((timeMs, row) => {
    isCut ||= row > 0 && timeMs - (times[row - 1] as number) > (WIDEST_GAP + 1) * stepMs;
    if (!isThere(row)) return;
    if (lastMs !== undefined && timeMs - lastMs > limitMs) holes.push({ lastMs, nextMs: timeMs, isCut });
    lastMs = timeMs;
    isCut = false;
  });
  return holes;
}

/** Of a pair, the times at which one of the legs has no price; of a symbol, those without bars. */
export function holesOf({ bars, pair }: TopicState, stepMs: number): Hole[] {
  if (pair) return holesIn(pair.open_time_ms, stepMs, (row) => pair.y[row] !== null && pair.x[row] !== null);
  return bars ? holesIn(bars.open_time_ms, stepMs, () => true) : [];
}

/** A stretch in which one leg did not trade, so that what is drawn rests on an older price of it. */
export interface Frozen {
  symbol: string;
  firstMs: number; // open time of the first bar without a trade of it
  lastMs: number; // of the last
  stepMs: number;
}

/** Stretches in which a leg was silent for longer than it takes to be late, from their first bar on. */
export function frozenOf(pair: PairColumns | undefined, legs: readonly string[], stepMs: number): Frozen[] {
  const { open_time_ms: times = [], carried = [] } = pair ?? {};
  const { lateMs } = limits(stepMs);
  return legs.flatMap((symbol, leg) => {
    const found: Frozen[] = [];
    let first: number | undefined;
    for (let row = 0; row <= times.length; row++) {
      const isCarried = row < times.length && ((carried[row] ?? 0) & (1 << leg)) !== 0;
      if (isCarried) first ??= row;
      else if (first !== undefined) {
        const [firstMs, lastMs] = [times[first] as number, times[row - 1] as number];
        if (lastMs + stepMs - firstMs > lateMs) found.push({ symbol, firstMs, lastMs, stepMs });
        first = undefined;
      }
    }
    return found;
  });
}

/** `no trade of BTCUSDT for 27 s` */
export const frozenLabel = ({ symbol, firstMs, lastMs, stepMs }: Frozen): string =>
  `no trade of ${symbol} for ${duration((lastMs + stepMs - firstMs) / 1000)}`;

/** `2 h 10 min without bars`; a hole that is drawn shorter than it is says so. */
export const holeLabel = ({ lastMs, nextMs, isCut }: Hole, stepMs: number): string =>
  `${duration((nextMs - lastMs - stepMs) / 1000)} without bars${isCut ? ", not to scale" : ""}`;

type Canvas = Parameters<Parameters<Target["useMediaCoordinateSpace"]>[0]>[0];
type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];

const PADDING = 6;

/** The bands of one pane, behind its series. */
class Bands implements IPanePrimitive<Time> {
  constructor(
    private readonly chart: IChartApiBase<Time>,
    private readonly owner: HoleBands,
    private readonly hasLabels: boolean,
  ) {}

  paneViews() {
    const renderer = { draw: (target: Target) => target.useMediaCoordinateSpace((canvas) => this.paint(canvas)) };
    return [{ zOrder: () => "bottom" as const, renderer: () => renderer }];
  }

  private paint({ context, mediaSize }: Canvas): void {
    const scale = this.chart.timeScale();
    const half = scale.options().barSpacing / 2;
    for (const stretch of this.owner.frozen) {
      const left = scale.timeToCoordinate((stretch.firstMs / 1000) as UTCTimestamp);
      const right = scale.timeToCoordinate((stretch.lastMs / 1000) as UTCTimestamp);
      if (left === null || right === null || right < 0 || left > mediaSize.width) continue;
      hatch(context, left - half, right + half, mediaSize.height);
      const [from, to] = [Math.max(left - half, 0), Math.min(right + half, mediaSize.width)];
      if (this.hasLabels) label(context, frozenLabel(stretch), (from + to) / 2, mediaSize.height / 2, to - from);
    }
    for (const hole of this.owner.holes) {
      const left = scale.timeToCoordinate((hole.lastMs / 1000) as UTCTimestamp);
      const right = scale.timeToCoordinate((hole.nextMs / 1000) as UTCTimestamp);
      if (left === null || right === null || right < 0 || left > mediaSize.width) continue;
      const start = left + half;
      const width = right - half - start;
      context.fillStyle = COLORS.hole;
      context.fillRect(start, 0, width, mediaSize.height);
      // The words stand in the middle of what is in sight of the band.
      const seen = Math.min(right - half, mediaSize.width) - Math.max(start, 0);
      const middle = Math.max(start, 0) + seen / 2;
      if (this.hasLabels) label(context, holeLabel(hole, this.owner.stepMs), middle, mediaSize.height / 2, seen);
    }
  }
}

const HATCH_PX = 7;

function hatch(context: CanvasRenderingContext2D, left: number, right: number, height: number): void {
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, height);
  context.clip();
  context.fillStyle = COLORS.hole;
  context.fillRect(left, 0, right - left, height);
  context.strokeStyle = COLORS.hatch;
  context.lineWidth = 1;
  context.beginPath();
  const first = Math.floor(left / HATCH_PX) * HATCH_PX - height;
  for (let x = first; x < right; x += HATCH_PX) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

/** Along the band where it is wide enough, upright where it is not, and nowhere when even that does not fit. */
function label(context: CanvasRenderingContext2D, text: string, x: number, y: number, room: number): void {
  context.save();
  context.font = '11px ui-sans-serif, system-ui, "Segoe UI", Roboto, sans-serif';
  context.fillStyle = COLORS.text;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.translate(x, y);
  const isAlong = context.measureText(text).width + 2 * PADDING <= room;
  if (!isAlong) context.rotate(-Math.PI / 2);
  if (isAlong || room >= 11 + PADDING) context.fillText(text, 0, 0);
  context.restore();
}

/** The bands of a chart; the labels stand in its first pane. */
export class HoleBands {
  holes: readonly Hole[] = [];
  frozen: readonly Frozen[] = [];
  stepMs = 1_000;

  constructor(chart: IChartApiBase<Time>) {
    chart.panes().forEach((pane, i) => {
      pane.attachPrimitive(new Bands(chart, this, i === 0));
    });
  }

  /** To be called before the points are drawn: drawing those draws the bands too. */
  show({ state, name }: Topic, stepMs: number): void {
    this.holes = holesOf(state, stepMs);
    this.frozen = frozenOf(state.pair, name.split(":").slice(1, 3), stepMs);
    this.stepMs = stepMs;
  }
}
