import { describe, expect, it } from "vitest";
import type { Muted, PairSignal } from "../api.gen";
import { titleOf } from "./pair";
import { readSignal } from "./signal";

const told = (muted: Muted | null, late: string[] = []): PairSignal => ({ side: "short", muted, late });
const FREE = told(null);

describe("readSignal", () => {
  it("names the side of a stretched spread, with a shape beside the colour", () => {
    expect(readSignal(2.4, 2, FREE, true)).toEqual({
      text: "▼ short spread",
      tone: "text-short",
      detail: "",
      distance: "0.40 beyond +2",
      isMuted: false,
    });
    expect(readSignal(-2, 2, FREE, true)).toMatchObject({ text: "▲ long spread", distance: "0.00 beyond −2" });
  });

  it("tells how far it is to the nearer threshold", () => {
    expect(readSignal(1.62, 2, FREE, true)).toMatchObject({ text: "· flat", distance: "0.38 to +2" });
    expect(readSignal(-0.5, 2, FREE, true).distance).toBe("1.50 to −2");
  });

  it("is muted with its reason while the pair is not shown to be one, a leg is late, or nothing is known yet", () => {
    const muted = { text: "stretched", tone: "text-dim", isMuted: true };
    expect(readSignal(3, 2, told("not_shown"), true)).toMatchObject({ ...muted, detail: "but not shown to be a pair" });
    expect(readSignal(-3, 2, told("leg_late", ["A", "B"]), true)).toMatchObject({
      ...muted,
      detail: "but A and B late",
    });
    expect(readSignal(3, 2, undefined, true)).toMatchObject({ ...muted, detail: "but health is being read" });
    expect(readSignal(1, 2, told("broken"), true)).toMatchObject({ text: "· flat", tone: "text-dim", isMuted: true });
  });

  it("never makes a signal of old numbers", () => {
    expect(readSignal(3, 2, FREE, false)).toMatchObject({ text: "not current", tone: "text-dim", isMuted: true });
  });

  it("says nothing without a z", () => {
    expect(readSignal(undefined, 2, FREE, true).text).toBe("—");
  });
});

describe("the title", () => {
  const live = { state: "live", late: [] } as const;

  it("follows the signal: a stretched z that is muted says why", () => {
    expect(titleOf("ETH/BTC", 2.34, FREE, live)).toBe("z +2.34 ETH/BTC");
    expect(titleOf("ETH/BTC", 2.34, told("not_shown"), live)).toBe("z +2.34, not shown to be a pair · ETH/BTC");
    expect(titleOf("ETH/BTC", 0.5, told("not_shown"), live)).toBe("z +0.50 ETH/BTC");
    expect(titleOf("ETH/BTC", undefined, undefined, live)).toBe("ETH/BTC");
  });

  it("names the leg that is silent instead of a z", () => {
    const late = [{ symbol: "BTCUSDT", state: "late", ageMs: 4_000 }] as const;
    expect(titleOf("ETH/BTC", 2.34, FREE, { state: "late", late })).toBe("BTCUSDT late · ETH/BTC");
    expect(titleOf("ETH/BTC", 2.34, FREE, { state: "down", late })).toBe("ETH/BTC");
  });
});
