import { describe, expect, it } from "vitest";
import { isMethod, METHODS, methodDoubt } from "./methods";

describe("a hedge method", () => {
  it("is one that the server knows", () => {
    expect(METHODS.every(isMethod)).toBe(true);
    expect(isMethod("median")).toBe(false);
    expect(isMethod(null)).toBe(false);
  });

  it("says in sight when it is naive, or wants a longer window", () => {
    const wants = { kalman: 1_000 };
    expect(methodDoubt("kalman_naive", 5_000, wants)).toBe("naive");
    expect(methodDoubt("kalman", 300, wants)).toBe("wants 1,000 bars");
    expect(methodDoubt("kalman", 1_000, wants)).toBeUndefined();
    expect(methodDoubt("ols", 20, wants)).toBeUndefined();
    expect(methodDoubt("kalman", 300, undefined)).toBeUndefined();
  });
});
