import { describe, expect, it } from "vitest";
import { isMethod, METHODS, methodDoubt } from "./methods";

describe("a hedge method", () => {
  it("is one that the server knows", () => {
    expect(METHODS.every(isMethod)).toBe(true);
    expect(isMethod("median")).toBe(false);
    expect(isMethod(null)).toBe(false);
  });

  it("says in sight when it is naive, or wants a longer window", () => {
    expect(methodDoubt("kalman_naive", 5_000)).toBe("naive");
    expect(methodDoubt("kalman", 300)).toBe("wants 1,000 bars");
    expect(methodDoubt("kalman", 1_000)).toBeUndefined();
    expect(methodDoubt("ols", 20)).toBeUndefined();
  });
});
