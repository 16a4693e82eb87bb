import { describe, expect, it } from "vitest";
import { under } from "./figures";

describe("the title of a figure", () => {
  it("does not repeat the heading it stands under", () => {
    expect(under("Cointegration", "Cointegration p-value")).toBe("P-value");
    expect(under("Naive ADF", "Naive ADF of the spread")).toBe("Naive ADF of the spread");
    expect(under("Johansen", "Half-life")).toBe("Half-life");
  });
});
