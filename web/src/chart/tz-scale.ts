// The time axis in any IANA zone. The data stays in UTC, so no hour is ever doubled by daylight saving: only the
// weights of the ticks (which decide where ticks stand) and their labels are made from local wall time.

import {
  defaultHorzScaleBehavior,
  type IHorzScaleBehavior,
  type TickMark,
  type TickMarkWeightValue,
  type Time,
  type TimeScalePoint,
} from "lightweight-charts";
import { zoneOffset } from "../lib/time";

const DAY_S = 86_400;
const YEAR = 70;
const MONTH = 60;
const DAY = 50;
const MINUTE = 20; // from here on, a label needs no seconds

const STEPS: readonly [seconds: number, weight: number][] = [
  [43_200, 33],
  [21_600, 32],
  [10_800, 31],
  [3_600, 30],
  [1_800, 24],
  [900, 23],
  [600, 22],
  [300, 21],
  [60, MINUTE],
  [30, 14],
  [15, 13],
  [10, 12],
  [5, 11],
  [1, 10],
];

/** Weight of the coarsest boundary of wall time (in seconds) crossed between two neighbouring points. */
export function tickWeight(previous: number, current: number): number {
  if (previous >= current) return tickWeight(current - 1, current); // the clock was turned back
  const crossed = (step: number) => Math.floor(previous / step) !== Math.floor(current / step);
  if (crossed(DAY_S)) {
    const before = new Date(previous * 1000);
    const after = new Date(current * 1000);
    if (before.getUTCFullYear() !== after.getUTCFullYear()) return YEAR;
    return before.getUTCMonth() !== after.getUTCMonth() ? MONTH : DAY;
  }
  return STEPS.find(([step]) => crossed(step))?.[1] ?? 0;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number) => String(value).padStart(2, "0");

/** Label of a tick at wall time (in seconds): as much as its weight says is new. */
export function tickLabel(wall: number, weight: number): string {
  const date = new Date(wall * 1000);
  const month = MONTHS[date.getUTCMonth()] as string;
  if (weight >= YEAR) return String(date.getUTCFullYear());
  if (weight >= MONTH) return month;
  if (weight >= DAY) return `${date.getUTCDate()} ${month}`;
  const minutes = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  return weight >= MINUTE ? minutes : `${minutes}:${two(date.getUTCSeconds())}`;
}

export type ZoneScale = IHorzScaleBehavior<Time>;

/** A horizontal scale for `createChartEx` whose ticks stand on round times of `zone`. */
export function zoneScale(zone: string): ZoneScale {
  const offset = zoneOffset(zone);
  const wall = (point: { originalTime: unknown }) => {
    const time = point.originalTime as number;
    return time + offset(time);
  };
  class ZoneScaleBehavior extends defaultHorzScaleBehavior() {
    override fillWeightsForPoints(
      points: readonly { -readonly [K in keyof TimeScalePoint]: TimeScalePoint[K] }[],
      from: number,
    ) {
      for (let i = from; i < points.length; i++) {
        const point = points[i] as (typeof points)[number];
        const previous = points[i - 1];
        const weight = tickWeight(previous ? wall(previous) : wall(point) - 1, wall(point));
        point.timeWeight = weight as TickMarkWeightValue;
      }
    }

    override formatTickmark(mark: TickMark) {
      return tickLabel(wall(mark), mark.weight);
    }
  }
  return new ZoneScaleBehavior();
}
