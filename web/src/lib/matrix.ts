// The matrix of correlations as it is walked, drawn and read. Pure.

import type { Clustering, Config, CorrelationMatrix } from "../api.gen";
import { fixed } from "./format";
import { flagWords, inWords } from "./quantity";
import type { Route } from "./url";

/** How much of its colour a correlation of one has: no more than lets a number be read on it, in either theme. */
export const STRENGTH = 0.5;

export interface Cell {
  row: number;
  column: number;
}

const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most);

/** Where a key leads from a cell of a square of `size`; undefined for keys that do not move. */
export function moved({ row, column }: Cell, key: string, size: number): Cell | undefined {
  const last = size - 1;
  switch (key) {
    case "ArrowUp":
      return { row: clamp(row - 1, last), column };
    case "ArrowDown":
      return { row: clamp(row + 1, last), column };
    case "ArrowLeft":
      return { row, column: clamp(column - 1, last) };
    case "ArrowRight":
      return { row, column: clamp(column + 1, last) };
    case "Home":
      return { row, column: 0 };
    case "End":
      return { row, column: last };
  }
  return undefined;
}

/** The pair of a cell, the way round it is configured; a symbol with itself is that symbol. */
export function routeOf(matrix: CorrelationMatrix, { row, column }: Cell, config: Config): Route | undefined {
  const y = matrix.symbols[row];
  const x = matrix.symbols[column];
  if (y === undefined || x === undefined) return undefined;
  if (y === x) return { screen: "symbol", symbols: [y] };
  return { screen: "pair", symbols: config.legs.some((legs) => legs.y === x && legs.x === y) ? [x, y] : [y, x] };
}

/** The number in a cell: without its zero where there is little room. */
export const cellText = (value: number | null | undefined, isNarrow: boolean, flag?: string | null): string =>
  value == null ? "—" : (isNarrow ? fixed(value, 2).replace(/^(−?)0\./, "$1.") : fixed(value, 2)) + (flag ? "!" : "");

/** A cell in words, for its tool-tip and for those who hear it. */
export function cellWords(matrix: CorrelationMatrix, { row, column }: Cell): readonly string[] {
  const value = matrix.correlation[row]?.[column];
  const flag = matrix.flag[row]?.[column];
  const counted = matrix.of === "trades" ? "price changes" : matrix.of === "prices" ? "bars" : "returns";
  const n = `${fixed(matrix.n[row]?.[column], 0)} ${counted}`;
  return [
    row === column ? `${matrix.symbols[row]}` : `${matrix.symbols[row]} with ${matrix.symbols[column]}`,
    value == null ? `No value: ${inWords(matrix.reason[row]?.[column])}` : fixed(value, 3),
    n,
    ...(flag ? [flagWords(flag)] : []),
  ];
}

export interface Edges {
  top: boolean;
  right: boolean;
  bottom: boolean;
  left: boolean;
}

/** At which of its sides a cell lies on the outline of a cluster of more than one; undefined when it is in none. */
export function edgesOf(cluster: readonly number[], { row, column }: Cell): Edges | undefined {
  const label = cluster[row];
  if (label !== cluster[column]) return undefined;
  const isIn = (at: number) => cluster[at] === label;
  if (!isIn(row - 1) && !isIn(row + 1)) return undefined;
  return { top: !isIn(row - 1), bottom: !isIn(row + 1), left: !isIn(column - 1), right: !isIn(column + 1) };
}

/** One join of the tree: two lines from its parts, at their places along the leaves, to its height. */
export interface Join {
  height: number;
  parts: readonly [Part, Part];
}

interface Part {
  place: number; // along the leaves, from 0
  height: number;
}

export function joinsOf({ matrix, left, right, height }: Clustering): readonly Join[] {
  const nodes: Part[] = matrix.symbols.map((_, place) => ({ place, height: 0 }));
  return height.map((at, i) => {
    const parts = [nodes[left[i] as number], nodes[right[i] as number]] as [Part, Part];
    nodes.push({ place: (parts[0].place + parts[1].place) / 2, height: at });
    return { height: at, parts };
  });
}
