import { describe, expect, it } from "vitest";
import { missingOf } from "./format";

describe("a share of missing trades", () => {
  it("is said to be unknown, with the reason, and never written as nothing", () => {
    expect(missingOf(null, "no_trade_ids")).toBe("unknown: these bars know no trade ids");
    expect(missingOf(null, "listening_began")).toContain("the data begin inside a bar");
    expect(missingOf(0, null)).toBe("0 %");
    expect(missingOf(0.25, undefined)).toBe("25.0 %");
  });
});
