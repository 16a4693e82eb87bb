import { describe, expect, it } from "vitest";
import { isMethod, METHODS, methodDoubt, partsOf, termsOf, termsText, USUAL_TERMS, wantsMore } from "./methods";

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

describe("the terms of a pair", () => {
  const others = { method: "tls", prices: "level", intercept: false } as const;

  it("are the end of a topic's name, and are read back from it", () => {
    expect(partsOf(USUAL_TERMS)).toEqual(["ols"]);
    expect(partsOf(others)).toEqual(["tls", "prices=level", "intercept=false"]);
    for (const terms of [USUAL_TERMS, others]) expect(termsOf(partsOf(terms))).toEqual(terms);
    expect(termsOf(["magic"])).toBeUndefined();
  });

  it("say in sight what is not as usual", () => {
    expect(termsText(USUAL_TERMS)).toBe("OLS");
    expect(termsText(others)).toBe("TLS, prices, no α");
  });
});

describe("what wants more bars", () => {
  it("says how many, until it has them", () => {
    expect(wantsMore(140, 100)).toBe("wants 140 bars");
    expect(wantsMore(140, 140)).toBeUndefined();
    expect(wantsMore(undefined, 2)).toBeUndefined();
  });
});
