import type { TickMark, TickMarkWeightValue, TimeScalePoint } from "lightweight-charts";
import { describe, expect, it } from "vitest";
import { tickLabel, tickWeight, zoneScale } from "./tz-scale";

const seconds = (iso: string) => Date.parse(iso) / 1000;

/** Labels that the scale of a zone writes at `times` (UTC), each point following the one before. */
function labels(zone: string, times: readonly string[]): string[] {
  const scale = zoneScale(zone);
  const points = times.map((iso) => ({ originalTime: seconds(iso), timeWeight: 0 as TickMarkWeightValue }));
  scale.fillWeightsForPoints(points as unknown as TimeScalePoint[], 0);
  return points.map((point) =>
    scale.formatTickmark({ originalTime: point.originalTime, weight: point.timeWeight } as TickMark, {} as never),
  );
}

describe("tickWeight", () => {
  it("is heavier the rounder the time is", () => {
    const weights = [
      "10:00:01",
      "10:00:05",
      "10:00:15",
      "10:00:30",
      "10:01:00",
      "10:15:00",
      "11:00:00",
      "12:00:00",
    ].map((clock) => tickWeight(seconds(`2024-03-05T${clock}Z`) - 1, seconds(`2024-03-05T${clock}Z`)));
    expect([...weights].sort((a, b) => a - b)).toEqual(weights);
    expect(new Set(weights).size).toBe(weights.length);
  });

  it("finds the boundary also when the points around it are missing", () => {
    expect(tickWeight(seconds("2024-03-05T10:00:58Z"), seconds("2024-03-05T10:01:07Z"))).toBe(
      tickWeight(seconds("2024-03-05T10:00:59Z"), seconds("2024-03-05T10:01:00Z")),
    );
  });
});

describe("tickLabel", () => {
  it("says what is new at its weight", () => {
    const wall = seconds("2024-03-05T09:07:30Z");
    expect([10, 20, 50, 60, 70].map((weight) => tickLabel(wall, weight))).toEqual([
      "09:07:30",
      "09:07",
      "5 Mar",
      "Mar",
      "2024",
    ]);
  });
});

describe("a scale", () => {
  it("labels the first point by its own time, not by a round one", () => {
    expect(labels("UTC", ["2024-03-05T10:00:18Z"])).toEqual(["10:00:18"]);
    expect(labels("UTC", ["2024-03-05T10:00:00Z"])[0]).toBe("10:00");
  });

  it("begins the day at the midnight of its zone", () => {
    expect(labels("Asia/Kolkata", ["2024-03-05T18:29:00Z", "2024-03-05T18:30:00Z"])).toEqual(["23:59", "6 Mar"]);
    expect(labels("America/New_York", ["2024-03-05T04:59:00Z", "2024-03-05T05:00:00Z"])[1]).toBe("5 Mar");
  });

  it("skips the hour that summer time takes", () => {
    const times = ["2024-03-31T00:00:00Z", "2024-03-31T01:00:00Z", "2024-03-31T02:00:00Z"];
    expect(labels("Europe/Berlin", times).slice(1)).toEqual(["03:00", "04:00"]);
  });

  it("shows the hour that comes twice twice, in order, and loses no point", () => {
    const times = ["2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z", "2024-10-27T02:00:00Z"];
    expect(labels("Europe/Berlin", times)).toEqual(["02:00", "02:00", "03:00"]);
  });
});
