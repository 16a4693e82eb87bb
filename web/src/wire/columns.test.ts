import { describe, expect, it } from "vitest";
import { lowerBound, putRow, RECENT_ROWS, trim } from "./columns";
import { barsAt } from "./testing";

const times = (table: { open_time_ms: number[] }) => table.open_time_ms.map((time) => time / 1000);

describe("putRow", () => {
  it("appends a newer row and replaces the last one: both change only the tail", () => {
    const table = barsAt([1, 2]);
    expect(putRow(table, barsAt([3]))).toBe("tail");
    expect(putRow(table, { ...barsAt([3]), close: [99] })).toBe("tail");
    expect(times(table)).toEqual([1, 2, 3]);
    expect(table.close).toEqual([1, 2, 99]);
  });

  it("replaces or inserts an older row and says that more than the tail changed", () => {
    const table = barsAt([1, 3]);
    expect(putRow(table, { ...barsAt([1]), close: [99] })).toBe("recent");
    expect(putRow(table, barsAt([2]))).toBe("reset");
    expect(times(table)).toEqual([1, 2, 3]);
    expect(table.close).toEqual([99, 2, 3]);
  });

  it("tells one of the last rows from one long past", () => {
    const table = barsAt(Array.from({ length: RECENT_ROWS + 2 }, (_, i) => i));
    expect(putRow(table, barsAt([2]))).toBe("recent");
    expect(putRow(table, barsAt([1]))).toBe("reset");
  });

  it("keeps all columns of the same length", () => {
    const table = barsAt([]);
    for (const time of [5, 3, 9, 3, 4, 9]) putRow(table, barsAt([time]));
    expect(times(table)).toEqual([3, 4, 5, 9]);
    for (const column of Object.values(table)) expect(column).toHaveLength(4);
  });

  it("does nothing with an empty row", () => {
    const table = barsAt([1]);
    expect(putRow(table, barsAt([]))).toBe("none");
    expect(times(table)).toEqual([1]);
  });
});

describe("trim", () => {
  it("cuts the oldest rows, and only when there are too many", () => {
    const table = barsAt([1, 2, 3, 4, 5, 6]);
    expect(trim(table, 6, 4)).toBe(false);
    putRow(table, barsAt([7]));
    expect(trim(table, 6, 4)).toBe(true);
    expect(times(table)).toEqual([4, 5, 6, 7]);
    expect(table.close).toEqual([4, 5, 6, 7]);
  });
});

describe("lowerBound", () => {
  it("finds the first time that is not earlier", () => {
    expect([0, 10, 15, 20, 25].map((time) => lowerBound([10, 20], time))).toEqual([0, 0, 1, 1, 2]);
  });
});
