// Columns from the wire into points of the chart. Pure; `from` is the first row that is wanted.

import type {
  BaselineData,
  CandlestickData,
  HistogramData,
  LineData,
  UTCTimestamp,
  WhitespaceData,
} from "lightweight-charts";
import { type BarColumns, type PairColumns, STALE_BARS, STALE_LEAST_MS } from "../api.gen";
import type { Series } from "../wire/state";
import { COLORS } from "./theme";

export type Point<T> = T | WhitespaceData<UTCTimestamp>;

/** A longer hole is drawn this many bars wide, so that an outage of a night does not push the data out of sight. */
export const WIDEST_GAP = 300;

const seconds = (timeMs: number) => Math.floor(timeMs / 1000) as UTCTimestamp;

/**
 * Put empty points where bars are missing: the axis counts points, not time, and would close the hole.
 * `previous` is the time of the point before the first one.
 */
export function withGaps<T extends { time: UTCTimestamp }>(
  points: readonly T[],
  step: number,
  previous?: number,
): Point<T>[] {
  const filled: Point<T>[] = [];
  let last = previous;
  for (const point of points) {
    if (last !== undefined) {
      const end = Math.min(point.time, last + (WIDEST_GAP + 1) * step);
      for (let time = last + step; time < end; time += step) filled.push({ time: time as UTCTimestamp });
    }
    filled.push(point);
    last = point.time;
  }
  return filled;
}

/** How long a value may be carried on without a new bar, as the server has it (`stale_limit_ms`). */
export const staleLimitMs = (stepMs: number): number => Math.max(STALE_BARS * stepMs, STALE_LEAST_MS);

/** Whether what comes after this row is too far from it to be joined to it by a line. */
const isBeforeHole = (times: readonly number[], row: number, stepMs: number): boolean =>
  (times[row + 1] ?? 0) - (times[row] as number) > staleLimitMs(stepMs);

function rows<T>(times: readonly number[], from: number, make: (time: UTCTimestamp, row: number) => T): T[] {
  const made: T[] = [];
  for (let row = from; row < times.length; row++) made.push(make(seconds(times[row] as number), row));
  return made;
}

export const candles = (bars: BarColumns, from = 0): CandlestickData<UTCTimestamp>[] =>
  rows(bars.open_time_ms, from, (time, row) => ({
    time,
    open: bars.open[row] as number,
    high: bars.high[row] as number,
    low: bars.low[row] as number,
    close: bars.close[row] as number,
  }));

export const volumes = (bars: BarColumns, from = 0): HistogramData<UTCTimestamp>[] =>
  rows(bars.open_time_ms, from, (time, row) => ({ time, value: bars.volume[row] as number }));

export const buyVolumes = (bars: BarColumns, from = 0): HistogramData<UTCTimestamp>[] =>
  rows(bars.open_time_ms, from, (time, row) => ({ time, value: bars.buy_volume[row] as number }));

/** A full-height mark at each bar of which trades are missing, or that was not heard to its end. */
export const lostMarks = (bars: BarColumns, from = 0): Point<HistogramData<UTCTimestamp>>[] =>
  rows(bars.open_time_ms, from, (time, row) =>
    (bars.missing[row] ?? 0) > 0 || bars.continuity?.[row] === "partial"
      ? { time, value: 1, color: COLORS.lost }
      : { time },
  );

export type PairColumn = Exclude<keyof PairColumns, "open_time_ms" | "carried">;

/**
 * One column of the pair. A row without a value is an empty point, and since the chart would draw its line right over
 * empty points, the piece that leaves the last value before them is made invisible.
 */
export const line = (
  pair: PairColumns,
  column: PairColumn,
  stepMs: number,
  from = 0,
): Point<LineData<UTCTimestamp>>[] =>
  rows(pair.open_time_ms, from, (time, row) => {
    const value = pair[column][row] ?? null;
    if (value === null) return { time };
    const isLast = pair[column][row + 1] === null || isBeforeHole(pair.open_time_ms, row, stepMs);
    return isLast ? { time, value, color: COLORS.none } : { time, value };
  });

/** A metric along time. Rows without a value are left out; the piece before them is made invisible. */
export function measured(series: Series, metric: string, stepMs: number, from = 0): LineData<UTCTimestamp>[] {
  const values = series[metric] ?? [];
  return rows(series.open_time_ms, from, (time, row) => ({ time, row, value: values[row] ?? null })).flatMap(
    ({ time, row, value }) => {
      if (value === null) return [];
      const isLast = values[row + 1] === null || isBeforeHole(series.open_time_ms, row, stepMs);
      return [isLast ? { time, value, color: COLORS.none } : { time, value }];
    },
  );
}

const INVISIBLE = {
  topLineColor: COLORS.none,
  topFillColor1: COLORS.none,
  topFillColor2: COLORS.none,
  bottomLineColor: COLORS.none,
  bottomFillColor1: COLORS.none,
  bottomFillColor2: COLORS.none,
};

/** As `line`, for a series that is drawn around a base line. */
export const baseline = (
  pair: PairColumns,
  column: PairColumn,
  stepMs: number,
  from = 0,
): Point<BaselineData<UTCTimestamp>>[] => line(pair, column, stepMs, from).map(aroundBase);

/** A point of a line as one of a series that is drawn around a base line. */
export const aroundBase = (point: Point<LineData<UTCTimestamp>>): Point<BaselineData<UTCTimestamp>> =>
  "value" in point && point.color ? { time: point.time, value: point.value, ...INVISIBLE } : point;
