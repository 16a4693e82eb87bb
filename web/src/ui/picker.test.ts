import { describe, expect, it } from "vitest";
import { matches } from "./picker";

describe("matches", () => {
  it("wants every word, in any order, wherever it stands", () => {
    expect(matches("ETH/BTC ETHUSDT on BTCUSDT", "btc eth")).toBe(true);
    expect(matches("ETH/BTC ETHUSDT on BTCUSDT", "ethbtc")).toBe(true);
    expect(matches("ETH/BTC ETHUSDT on BTCUSDT", "eth sol")).toBe(false);
  });

  it("takes everything for an empty query", () => {
    expect(matches("New York", "")).toBe(true);
    expect(matches("New York", "  new_york ")).toBe(true);
  });
});
