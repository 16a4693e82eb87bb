// The tree of clusters, leaf by leaf in the order of the matrix, and the line at which it is cut.

import type { Clustering } from "../api.gen";
import { joinsOf } from "../lib/matrix";
import { shortNames } from "../lib/names";
import { useConfig } from "../wire/context";

const WIDTH = 296;
const NAMES = 58;
const MOST_NAMED = 40;

/** Puts a slider over the distances of the tree: its knob is this wide, and stays inside. */
const KNOB = 16;
export const SLIDER = {
  marginLeft: `${((NAMES - KNOB / 2) / WIDTH) * 100}%`,
  width: `${((WIDTH - NAMES - 4 + KNOB) / WIDTH) * 100}%`,
};

/** The distance at the right edge: a little beyond the last join, and beyond what unrelated symbols have. */
export const widest = (heights: readonly number[]): number =>
  Math.max(1.5, Math.ceil((heights.at(-1) ?? 0) * 10.2) / 10);

export function Dendrogram({ clustering, cut }: { clustering: Clustering; cut: number }) {
  const { matrix, height } = clustering;
  const config = useConfig();
  const count = matrix.symbols.length;
  const isNamed = count <= MOST_NAMED;
  const step = isNamed ? 16 : 5;
  const toX = (distance: number) => NAMES + (distance / widest(height)) * (WIDTH - NAMES - 4);
  const toY = (place: number) => (place + 0.5) * step;
  return (
    <svg
      role="img"
      aria-label={`Tree of ${count} symbols, cut at ${cut.toFixed(2)}: ${clustering.clusters.length} groups`}
      viewBox={`0 0 ${WIDTH} ${count * step}`}
      className="block w-full"
    >
      {isNamed
        ? shortNames(matrix.symbols, config).map((name, i) => (
            <text
              key={matrix.symbols[i]}
              x={NAMES - 5}
              y={toY(i) + 3.5}
              textAnchor="end"
              className="fill-dim text-[11px]"
            >
              {name}
            </text>
          ))
        : null}
      {joinsOf(clustering).map(({ height: at, parts: [first, second] }) => (
        <path
          key={`${first.place} ${second.place}`}
          d={`M${toX(first.height)} ${toY(first.place)}H${toX(at)}V${toY(second.place)}H${toX(second.height)}`}
          fill="none"
          strokeWidth={at <= cut ? 2 : 1}
          className={at <= cut ? "stroke-long" : "stroke-dim"}
        />
      ))}
      <line x1={toX(cut)} x2={toX(cut)} y1="0" y2={count * step} strokeDasharray="4 3" className="stroke-short" />
    </svg>
  );
}
