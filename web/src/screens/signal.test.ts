import { describe, expect, it } from "vitest";
import { readSignal } from "./signal";

describe("readSignal", () => {
  it("names the side of a stretched spread, with a shape beside the colour", () => {
    expect(readSignal(2.4, 2, true)).toEqual({
      text: "▼ short spread",
      tone: "text-short",
      distance: "0.40 beyond +2",
    });
    expect(readSignal(-2, 2, true)).toMatchObject({ text: "▲ long spread", distance: "0.00 beyond −2" });
  });

  it("tells how far it is to the nearer threshold", () => {
    expect(readSignal(1.62, 2, true)).toMatchObject({ text: "· flat", distance: "0.38 to +2" });
    expect(readSignal(-0.5, 2, true).distance).toBe("1.50 to −2");
  });

  it("never makes a signal of old numbers", () => {
    expect(readSignal(3, 2, false)).toMatchObject({ text: "not current", tone: "text-dim" });
  });

  it("says nothing without a z", () => {
    expect(readSignal(undefined, 2, true).text).toBe("—");
  });
});
