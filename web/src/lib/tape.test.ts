import { describe, expect, it } from "vitest";
import type { TapeGap, TapeTotals } from "../api.gen";
import {
  differences,
  fateWords,
  hasImports,
  leftOut,
  madeRoomWords,
  reasonWords,
  timeSpan,
  verdict,
  weightParts,
} from "./tape";

const gap = (change: Partial<TapeGap> = {}): TapeGap => ({
  symbol: "BTCUSDT",
  first_id: 1,
  last_id: 5,
  ids: 5,
  found_ms: 10_000,
  after_ms: null,
  before_ms: null,
  reason: "history",
  obstacle: null,
  looked_ms: null,
  closed_ms: null,
  ...change,
});

const totals = (change: Partial<TapeTotals> = {}): TapeTotals => ({
  state: "complete",
  ids: 200,
  trades: 200,
  backfilled: 80,
  backfilled_share: 0.4,
  ids_missing: 0,
  gaps_open: 0,
  gaps_closed: 4,
  ...change,
});

describe("verdict", () => {
  it("says how many ids there are, or are missing, and in how many gaps", () => {
    expect(verdict(totals())).toEqual({ title: "complete", detail: "200 ids, none missing" });
    const incomplete = totals({ state: "incomplete", ids_missing: 1_234, gaps_open: 3 });
    expect(verdict(incomplete)).toEqual({ title: "1,234 ids missing", detail: "in 3 gaps" });
    const one = totals({ state: "incomplete", ids_missing: 1, gaps_open: 1 });
    expect(verdict(one)).toEqual({ title: "1 id missing", detail: "in 1 gap" });
    expect(verdict(totals({ state: "empty", ids: 0 })).title).toBe("empty");
  });
});

describe("the words of a gap", () => {
  it("tell that it is being filled, is closed, or why it stays", () => {
    expect(fateWords(gap(), "UTC")).toBe("being filled");
    expect(fateWords(gap({ closed_ms: 10_900 }), "UTC")).toBe("closed after 900 ms");
    expect(fateWords(gap({ obstacle: "not_served_by_rest" }), "UTC")).toBe("the exchange does not give these ids out");
  });

  it("tell when a daily file was last looked for", () => {
    const looked = { obstacle: "no_archive_file", looked_ms: Date.UTC(2026, 10, 20, 15) } as const;
    expect(fateWords(gap(looked), "UTC")).toBe("no daily file, last looked for 20 Nov 2026 15:00:00");
    expect(fateWords(gap({ ...looked, looked_ms: null }), "UTC")).toBe("no daily file");
  });

  it("tell how the ids came to be missing", () => {
    expect(reasonWords("log_damaged")).toBe("the newest rows of the open day could not be read");
  });
});

describe("what was verified", () => {
  it("is told when it differs", () => {
    expect(differences({ verified_differences: null })).toBe("");
    expect(differences({ verified_differences: 0 })).toBe("");
    expect(differences({ verified_differences: 1 })).toBe("1 difference");
  });
});

describe("what was imported", () => {
  it("has a column when there is any, or when that is not known", () => {
    expect(hasImports({ imported: 0, imported_bars: 0 })).toBe(false);
    expect(hasImports({ imported: 0, imported_bars: 3 })).toBe(true);
    expect(hasImports({ imported: null, imported_bars: null })).toBe(true);
  });
});

describe("timeSpan", () => {
  const late = Date.UTC(2024, 2, 5, 23, 59, 58);

  it("says the day once when it is the same in the zone", () => {
    expect(timeSpan(late, late + 1_000, "UTC")).toBe("05 Mar 2024 23:59:58 – 23:59:59");
    expect(timeSpan(late, late + 3_000, "UTC")).toBe("05 Mar 2024 23:59:58 – 06 Mar 2024 00:00:01");
    expect(timeSpan(late, late + 3_000, "Asia/Kolkata")).toBe("06 Mar 2024 05:29:58 – 05:30:01");
  });

  it("says what is known when an end is not", () => {
    expect(timeSpan(null, late, "UTC")).toBe("before 05 Mar 2024 23:59:58");
    expect(timeSpan(late, null, "UTC")).toBe("after 05 Mar 2024 23:59:58");
    expect(timeSpan(null, null, "UTC")).toBe("at an unknown time");
  });
});

describe("leftOut", () => {
  it("counts the gaps that are not in the list", () => {
    expect(leftOut([gap()], totals({ gaps_open: 1, gaps_closed: 2 }))).toBe("2 older ones not listed");
    expect(leftOut([gap()], totals({ gaps_open: 1, gaps_closed: 0 }))).toBe("");
  });
});

describe("weightParts", () => {
  it("are parts of the limit, and stay inside it", () => {
    const weight = { weight_used: 600, weight_allowed: 1_200, weight_limit: 2_400 };
    expect(weightParts(weight)).toEqual({ used: 0.25, allowed: 0.5 });
    expect(weightParts({ ...weight, weight_used: 9_999 }).used).toBe(1);
    expect(weightParts({ ...weight, weight_limit: 0 })).toEqual({ used: 0, allowed: 0 });
  });
});

describe("days that made room", () => {
  it("are told with their size, and when", () => {
    const day = { kind: "bars", day: "2026-11-20", file_bytes: 12_300_000, at_ms: Date.UTC(2026, 10, 27, 4) } as const;
    expect(madeRoomWords(day, "Asia/Kolkata")).toBe("bars of 2026-11-20, 12.3 MB, on 27 Nov 2026 09:30:00");
  });
});
