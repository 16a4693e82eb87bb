import { describe, expect, it } from "vitest";
import {
  age,
  basisPoints,
  bytes,
  compact,
  DASH,
  duration,
  fixed,
  lag,
  missingShare,
  signed,
  significant,
} from "./format";

describe("fixed and signed", () => {
  it("group thousands and write a true minus", () => {
    expect(fixed(61542.1, 1)).toBe("61,542.1");
    expect(fixed(-1234.5, 2)).toBe("−1,234.50");
  });

  it("know no negative zero and no sign of zero", () => {
    expect(fixed(-0.001, 2)).toBe("0.00");
    expect(signed(0.001, 2)).toBe("0.00");
    expect(signed(-0.001, 2)).toBe("0.00");
    expect(signed(1.2, 1)).toBe("+1.2");
  });

  it("write a dash for what is not there", () => {
    for (const absent of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) expect(fixed(absent, 2)).toBe(DASH);
  });
});

describe("compact", () => {
  it.each([
    [0, "0"],
    [0.0712, "0.0712"],
    [3.456, "3.46"],
    [27.93, "27.9"],
    [999.4, "999"],
    [1234, "1.23 k"],
    [1_234_567, "1.23 M"],
    [-536_600_000, "−536.6 M"],
    [9.9e12, "9.90 T"],
  ])("writes %d as %s", (value, text) => expect(compact(value)).toBe(text));

  it("takes the next scale where rounding would cross it", () => {
    expect(compact(999_999)).toBe("1.00 M");
    expect(compact(999.999)).toBe("1.00 k");
  });
});

describe("other forms", () => {
  it("keep significant digits without an exponent", () => {
    expect(significant(0.00012345, 3)).toBe("0.000123");
    expect(significant(123456, 3)).toBe("123,456");
    expect(significant(0, 3)).toBe("0");
  });

  it("write small relative differences in basis points", () => {
    expect(basisPoints(-0.000234)).toBe("−2.34 bp");
  });

  it("do not round a small missing share to nothing", () => {
    expect(missingShare(0)).toBe("0 %");
    expect(missingShare(0.0002)).toBe("<0.1 %");
    expect(missingShare(0.435)).toBe("43.5 %");
  });

  it("write sizes in decimal units", () => {
    expect(bytes(999)).toBe("999 B");
    expect(bytes(48_300_000)).toBe("48.3 MB");
    expect(bytes(250_000_000)).toBe("250 MB");
  });
});

describe("lengths of time", () => {
  it.each([
    [46, "46 s"],
    [60, "1 min"],
    [185, "3 min 5 s"],
    [7800, "2 h 10 min"],
    [273_600, "3 d 4 h"],
  ])("writes %d s as %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  it("shows tenths only while something is young, and never a negative age", () => {
    expect(age(420)).toBe("0.4 s");
    expect(age(12_300)).toBe("12 s");
    expect(age(-50)).toBe("0.0 s");
  });
});

describe("lag", () => {
  it("may be negative, when the other clock runs ahead", () => {
    expect(lag(-1250)).toBe("−1,250 ms");
    expect(lag(4.04)).toBe("4.0 ms");
    expect(lag(75_000)).toBe("1 min 15 s");
  });

  it("is not said of a recording of another day", () => {
    expect(lag(72_064_423_327)).toBe(DASH);
  });
});
