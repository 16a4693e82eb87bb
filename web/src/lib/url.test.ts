// @vitest-environment happy-dom

import { beforeEach, describe, expect, it } from "vitest";
import { addressOf, changeView, currentPlace, go, parsePlace } from "./url";

describe("parsePlace and addressOf", () => {
  it.each([
    "/app/pair/ETHUSDT-BTCUSDT?tf=1s&w=120",
    "/app/symbol/BTCUSDT?tf=5m&tz=Europe%2FBerlin&view=table",
    "/app/symbol/BTCUSDT?bars=163&at=1795223318",
    "/app/pair/ETHUSDT-BTCUSDT?hedge=kalman&side=statistics",
    "/app/symbol/BTCUSDT?ind=sma.50%2Crsi",
    "/app/correlation?of=prices&cut=0.75",
    "/app/symbol/OKX.ETH_USDT_SWAP",
    "/app/tape",
    "/app/system",
    "/app/",
  ])("are each other's inverse for %s", (address) => {
    const [path = "", search = ""] = address.split("?");
    expect(addressOf(parsePlace(path, search))).toBe(address);
  });

  it("accept symbols in any case", () => {
    expect(parsePlace("/app/pair/ethusdt-btcusdt", "").route).toEqual({
      screen: "pair",
      symbols: ["ETHUSDT", "BTCUSDT"],
    });
  });

  it("fold the letters a to z alone, and read symbols of any script", () => {
    expect(parsePlace("/app/symbol/%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9Fusdt", "").route).toEqual({
      screen: "symbol",
      symbols: ["币安人生USDT"],
    });
    expect(parsePlace("/app/symbol/ſusdt", "").route).toEqual({
      screen: "symbol",
      symbols: ["ſUSDT"],
    });
    expect(addressOf(parsePlace("/app/pair/币USDT-BTCUSDT", ""))).toBe("/app/pair/%E5%B8%81USDT-BTCUSDT");
    expect(parsePlace("/app/symbol/%", "").route.screen).toBe("unknown");
  });

  it("take no month for a minute, and a method by its other name", () => {
    expect(parsePlace("/app/pair/A-B", "?tf=1M&hedge=Robust").view).toEqual({ hedge: "huber" });
    expect(parsePlace("/app/pair/A-B", "?tf=1H&w=2").view).toEqual({ tf: "1h", w: 2 });
  });

  it("carry the terms of a pair, and nothing where they are as usual", () => {
    const place = parsePlace("/app/pair/A-B", "?prices=Levels&intercept=no");
    expect(place.view).toEqual({ prices: "level", intercept: false });
    expect(addressOf(place)).toBe("/app/pair/A-B?prices=level&intercept=false");
    expect(parsePlace("/app/pair/A-B", "?prices=log&intercept=true").view).toEqual({});
    expect(parsePlace("/app/pair/A-B", "?prices=euro&intercept=maybe").view).toEqual({});
  });

  it("have what a matrix is of, by its former name as well", () => {
    const of = (query: string) => parsePlace("/app/correlation", query).view.of;
    expect(["?of=prices", "?on=levels", "?on=hy", "?on=toString"].map(of)).toEqual([
      "prices",
      "prices",
      "trades",
      undefined,
    ]);
    expect(addressOf(parsePlace("/app/correlation", "?on=hy"))).toBe("/app/correlation?of=trades");
  });

  it("leave out what cannot be meant", () => {
    expect(
      parsePlace("/app/symbol/BTCUSDT", "?tf=soon&w=1&bars=-1&at=x&view=dance&hedge=gut&side=b&of=x&cut=7&ind=<b>")
        .view,
    ).toEqual({});
  });

  it("do not take an unknown path for home", () => {
    expect(parsePlace("/app/scanner", "").route).toEqual({ screen: "scanner", symbols: [] });
    expect(parsePlace("/app/pair/ETHUSDT/BTCUSDT", "").route.screen).toBe("unknown");
    expect(addressOf(parsePlace("/app/scanner", ""))).toBe("/app/scanner");
  });
});

describe("going", () => {
  beforeEach(() => history.replaceState(null, "", "/app/symbol/BTCUSDT?tf=1s"));

  it("changes the view and keeps the rest", () => {
    changeView({ tf: "1m", view: "table" });
    expect(location.pathname + location.search).toBe("/app/symbol/BTCUSDT?tf=1m&view=table");
    changeView({ view: undefined });
    expect(currentPlace().view).toEqual({ tf: "1m" });
  });

  it("adds no step to the history for the address we are at", () => {
    const before = history.length;
    go(currentPlace());
    expect(history.length).toBe(before);
  });
});
