import { describe, expect, it } from "vitest";
import type { SymbolInfo } from "../api.gen";
import { pairName, shortNames } from "./names";

const info = (symbol: string, base: string | null, quote: string | null, kind: SymbolInfo["kind"] = "perpetual") =>
  ({ symbol, base, quote, kind }) as SymbolInfo;

const config = {
  symbols: [
    info("BTCUSDT", "BTC", "USDT"),
    info("ETHUSDT", "ETH", "USDT"),
    info("ETHUSDC", "ETH", "USDC"),
    info("OKX.ETH_USDT_SWAP", "ETH", "USDT"),
    info("ETHUSDT_261225", "ETH", "USDT", "future"),
    info("SOLUSDT", null, null),
  ],
};

describe("short names", () => {
  it("are the base assets of symbols that are priced in one asset", () => {
    expect(shortNames(["ETHUSDT", "BTCUSDT"], config)).toEqual(["ETH", "BTC"]);
    expect(pairName("ETHUSDT", "BTCUSDT", config)).toBe("ETH/BTC");
  });

  it.each([
    ["priced in different ones", "ETHUSDC", "BTCUSDT"],
    ["of two venues with one base", "ETHUSDT", "OKX.ETH_USDT_SWAP"],
    ["of a contract that ends on a day", "ETHUSDT_261225", "BTCUSDT"],
    ["not told by the server", "SOLUSDT", "BTCUSDT"],
    ["not known at all", "XYZUSDT", "BTCUSDT"],
  ])("are the symbols themselves when they are %s", (_, y, x) => {
    expect(pairName(y, x, config)).toBe(`${y}/${x}`);
  });
});
