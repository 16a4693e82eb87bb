import { describe, expect, it } from "vitest";
import { routeTo } from "../lib/destinations";
import { shortcuts } from "../lib/keys";
import { addressOf, parsePlace } from "../lib/url";
import { SCREENS } from "./list";

const config = { symbols: [{ symbol: "BTCUSDT" }], legs: [{ y: "ETHUSDT", x: "BTCUSDT" }] } as never;

describe("the list of screens", () => {
  it("has a name of its own and a key of its own for each, which no shortcut on a screen has", () => {
    const keys = shortcuts(SCREENS).flatMap(([text]) => text.split(/\s+/));
    expect(new Set(SCREENS.map(({ name }) => name)).size).toBe(SCREENS.length);
    for (const { key } of SCREENS) expect(keys.filter((each) => each === key)).toEqual([key]);
  });

  it.each(SCREENS)("leads to $name by an address that leads back to it", (screen) => {
    const route = routeTo(screen, { screen: "", symbols: [] }, config);
    expect(route.symbols).toHaveLength(screen.takes);
    const [path = "", search = ""] = addressOf({ route, view: {} }).split("?");
    expect(parsePlace(path, search).route).toEqual(route);
  });
});
