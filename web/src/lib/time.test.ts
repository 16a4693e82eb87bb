import { describe, expect, it } from "vitest";
import { clock, dateTime, intervalMs, isZone, resolveZone, shortDateTime, UTC, zoneLabel, zoneOffset } from "./time";

const seconds = (iso: string) => Date.parse(iso) / 1000;

describe("zoneOffset", () => {
  it("follows daylight saving to the second", () => {
    const berlin = zoneOffset("Europe/Berlin");
    expect(berlin(seconds("2024-03-31T00:59:59Z"))).toBe(3600);
    expect(berlin(seconds("2024-03-31T01:00:00Z"))).toBe(7200);
    expect(berlin(seconds("2024-10-27T00:59:59Z"))).toBe(7200);
    expect(berlin(seconds("2024-10-27T01:00:00Z"))).toBe(3600);
  });

  it("knows zones that are not on the hour", () => {
    expect(zoneOffset("Asia/Kathmandu")(seconds("2024-01-01T00:00:00Z"))).toBe(5 * 3600 + 45 * 60);
    expect(zoneOffset("Asia/Kolkata")(seconds("2024-01-01T00:00:00Z"))).toBe(5 * 3600 + 30 * 60);
  });

  it("is nothing in UTC", () => {
    expect(zoneOffset(UTC)(seconds("2024-07-01T12:00:00Z"))).toBe(0);
  });
});

describe("zones", () => {
  it("fall back to UTC when the name means nothing", () => {
    expect(resolveZone(undefined)).toBe(UTC);
    expect(resolveZone("Mars/Olympus")).toBe(UTC);
    expect(resolveZone("America/New_York")).toBe("America/New_York");
    expect(isZone("Mars/Olympus")).toBe(false);
  });

  it("are labelled with their offset at that time", () => {
    expect(zoneLabel("Europe/Berlin", Date.parse("2024-07-01T12:00:00Z"))).toBe("Berlin +02:00");
    expect(zoneLabel("America/New_York", Date.parse("2024-01-01T12:00:00Z"))).toBe("New York −05:00");
    expect(zoneLabel(UTC, 0)).toBe(UTC);
  });
});

describe("clock and date", () => {
  it("use 24 hours, and midnight is 00", () => {
    expect(clock(Date.parse("2024-03-05T00:00:07Z"), UTC)).toBe("00:00:07");
    expect(dateTime(Date.parse("2024-03-05T23:59:59Z"), UTC)).toBe("05 Mar 2024 23:59:59");
  });
});

describe("a date where there is little room", () => {
  const at = Date.parse("2024-03-05T23:59:59Z");

  it("has no year while that goes without saying, and no seconds when it does not", () => {
    expect(shortDateTime(at, at + 86_400_000, UTC)).toBe("05 Mar 23:59:59");
    expect(shortDateTime(at, at + 366 * 86_400_000, UTC)).toBe("05 Mar 2024 23:59");
    expect(shortDateTime(at, at - 366 * 86_400_000, UTC)).toBe("05 Mar 2024 23:59");
  });
});

describe("intervalMs", () => {
  it.each([
    ["1s", 1_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
  ])("reads %s", (text, milliseconds) => expect(intervalMs(text)).toBe(milliseconds));

  it.each(["", "0s", "5", "m5", "5w"])("refuses %j", (text) => expect(intervalMs(text)).toBeUndefined());
});
