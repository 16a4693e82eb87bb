import { describe, expect, it } from "vitest";
import type { Clustering, Config, CorrelationMatrix } from "../api.gen";
import { cellText, cellWords, edgesOf, joinsOf, moved, routeOf } from "./matrix";

const matrix: CorrelationMatrix = {
  symbols: ["ETHUSDT", "SOLUSDT", "BTCUSDT"],
  of: "returns",
  on: "returns",
  interval: "1s",
  window: 300,
  as_of_ms: 0,
  correlation: [
    [1, 0.489, null],
    [0.489, 1, -0.04],
    [null, -0.04, 1],
  ],
  n: [
    [299, 298, 3],
    [298, 299, 299],
    [3, 299, 299],
  ],
  reason: [
    [null, null, "too_few_observations"],
    [null, null, null],
    ["too_few_observations", null, null],
  ],
  flag: [
    [null, null, null],
    [null, null, null],
    [null, null, null],
  ],
  missing: [0, 0, 0],
  missing_reason: [null, null, null],
};

describe("walking through the matrix", () => {
  it.each([
    ["ArrowRight", 0, 1],
    ["ArrowDown", 1, 0],
    ["ArrowUp", 0, 0],
    ["End", 0, 2],
  ])("%s", (key, row, column) => {
    expect(moved({ row: 0, column: 0 }, key, 3)).toEqual({ row, column });
  });

  it("stays inside, and leaves other keys alone", () => {
    expect(moved({ row: 2, column: 2 }, "ArrowDown", 3)).toEqual({ row: 2, column: 2 });
    expect(moved({ row: 2, column: 2 }, "Enter", 3)).toBeUndefined();
  });

  it("opens a pair the way round it is configured, and a symbol with itself as that symbol", () => {
    const config = { legs: [{ y: "ETHUSDT", x: "BTCUSDT" }] } as Config;
    const pair = { screen: "pair", symbols: ["ETHUSDT", "BTCUSDT"] };
    expect(routeOf(matrix, { row: 0, column: 2 }, config)).toEqual(pair);
    expect(routeOf(matrix, { row: 2, column: 0 }, config)).toEqual(pair);
    expect(routeOf(matrix, { row: 1, column: 2 }, config)).toEqual({
      screen: "pair",
      symbols: ["SOLUSDT", "BTCUSDT"],
    });
    expect(routeOf(matrix, { row: 1, column: 1 }, config)).toEqual({
      screen: "symbol",
      symbols: ["SOLUSDT"],
    });
    expect(routeOf(matrix, { row: 9, column: 1 }, config)).toBeUndefined();
  });
});

describe("a cell", () => {
  it("is a number of two decimals, shorter where there is little room", () => {
    expect(cellText(-0.04, false)).toBe("−0.04");
    expect(cellText(-0.04, true)).toBe("−.04");
    expect(cellText(1, true)).toBe("1.00");
    expect(cellText(null, false)).toBe("—");
    expect(cellText(10.04, true)).toBe("10.04");
  });

  it("says in words what it is of, how much it rests on, and why it has no value", () => {
    expect(cellWords(matrix, { row: 0, column: 1 })).toEqual(["ETHUSDT with SOLUSDT", "0.489", "298 returns"]);
    expect(cellWords(matrix, { row: 0, column: 2 })[1]).toBe("No value: too few bars yet");
    const beyond: CorrelationMatrix = { ...matrix, correlation: [[1, 1.125, 0.5]], flag: [[null, "beyond_one", null]] };
    expect(cellWords(beyond, { row: 0, column: 1 }).slice(1)).toEqual([
      "1.125",
      "298 returns",
      "beyond ±1: an estimate from few changes, or of prices that follow each other",
    ]);
    expect(cellText(1.125, false, "beyond_one")).toBe("1.13!");
    expect(cellWords({ ...matrix, of: "trades" }, { row: 0, column: 1 })[2]).toBe("298 price changes");
  });
});

describe("the outline of clusters", () => {
  const cluster = [0, 0, 1, 2, 2];

  it("runs around each block of more than one", () => {
    expect(edgesOf(cluster, { row: 0, column: 0 })).toEqual({ top: true, right: false, bottom: false, left: true });
    expect(edgesOf(cluster, { row: 0, column: 1 })).toEqual({ top: true, right: true, bottom: false, left: false });
    expect(edgesOf(cluster, { row: 4, column: 3 })).toEqual({ top: false, right: false, bottom: true, left: true });
  });

  it("leaves out those that are alone, and cells between clusters", () => {
    expect(edgesOf(cluster, { row: 2, column: 2 })).toBeUndefined();
    expect(edgesOf(cluster, { row: 0, column: 4 })).toBeUndefined();
  });
});

describe("the tree", () => {
  it("joins leaves first, and then what was joined", () => {
    const tree = { matrix, left: [0, 3], right: [1, 2], height: [0.8, 1.2] } as Clustering;
    const [first, second] = joinsOf(tree);
    expect(first?.parts.map(({ place }) => place)).toEqual([0, 1]);
    expect(second).toEqual({
      height: 1.2,
      parts: [
        { place: 0.5, height: 0.8 },
        { place: 2, height: 0 },
      ],
    });
  });
});
