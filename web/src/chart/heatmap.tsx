// A matrix of correlations: a table while its numbers can be read, a canvas when there are too many.

import {
  type FocusEvent,
  type KeyboardEvent,
  type MouseEvent,
  memo,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import type { Clustering, CorrelationMatrix } from "../api.gen";
import { type Cell, cellText, cellWords, type Edges, edgesOf, moved, STRENGTH } from "../lib/matrix";
import { shortNames } from "../lib/names";
import { useConfig } from "../wire/context";
import type { LateLeg } from "../wire/freshness";
import { drawMatrix, FRAME } from "./matrix-canvas";

const MOST_IN_TABLE = 40;
const SMALLEST = 26;
const LARGEST = 96;
const NARROW = 34;
const WIDE = 60;
const HEADINGS = 52; // pixels for the names above and to the left

export interface HeatmapProps {
  clustering: Clustering;
  size: { width: number; height: number }; // pixels there are for it
  late: readonly LateLeg[]; // symbols that are silent: their rows and columns are marked
  onOpen: (cell: Cell) => void;
}

export function Heatmap(props: HeatmapProps) {
  return props.clustering.matrix.symbols.length > MOST_IN_TABLE ? <Dots {...props} /> : <Grid {...props} />;
}

/** Of a colour as much as the correlation is strong. */
const tint = (value: number): string =>
  `color-mix(in srgb, var(--color-${value < 0 ? "short" : "long"}) ${Math.round(Math.abs(value) * STRENGTH * 100)}%, var(--color-bg))`;

interface Looked extends Cell {
  x: number;
  y: number;
}

function Grid({ clustering, size, late, onOpen }: HeatmapProps) {
  const { matrix, cluster } = clustering;
  const count = matrix.symbols.length;
  const names = shortNames(matrix.symbols, useConfig());
  const silent = new Map(late.map((leg) => [leg.symbol, leg.state]));
  const isLate = (at: number) => silent.has(matrix.symbols[at] as string);
  const heading = (at: number, isLooked: boolean) => (isLate(at) ? "text-short" : isLooked ? "text-fg" : "text-dim");
  const room = Math.min(size.width - HEADINGS - 24, size.height - HEADINGS - 24);
  const side = Math.min(Math.max(Math.floor(room / count), SMALLEST), LARGEST);
  const isNarrow = side < NARROW;
  // By name: when the tree puts the symbols into another order, one stays at the pair one was at.
  const [at, setAt] = useState<readonly [y: string | undefined, x: string | undefined]>([
    matrix.symbols[0],
    matrix.symbols[1],
  ]);
  const [looked, setLooked] = useState<Looked>();
  const grid = useRef<HTMLTableElement>(null);
  const isInside = useRef(false);
  const current = {
    row: Math.max(0, matrix.symbols.indexOf(at[0] ?? "")),
    column: Math.max(0, matrix.symbols.indexOf(at[1] ?? "")),
  };
  const settle = ({ row, column }: Cell) => setAt([matrix.symbols[row], matrix.symbols[column]]);
  const focus = ({ row, column }: Cell) =>
    grid.current?.querySelector<HTMLElement>(`[data-cell="${row} ${column}"]`)?.focus();

  const order = matrix.symbols.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: an element that is moved in the page loses its focus
  useLayoutEffect(() => {
    setLooked(undefined);
    if (isInside.current) focus(current);
  }, [order]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") return onOpen(current);
    const next = moved(current, event.key, count);
    if (!next) return;
    event.preventDefault();
    settle(next);
    focus(next);
  };
  const look = (event: FocusEvent | MouseEvent) => {
    const found = cellUnder(event.target);
    if (!found) return setLooked(undefined);
    const { cell, element } = found;
    const { left, bottom } = element.getBoundingClientRect();
    setLooked({ ...cell, x: left, y: bottom });
    if (event.type !== "focus") return;
    isInside.current = true;
    settle(cell);
  };

  return (
    <>
      <table
        ref={grid}
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table walked through by arrow keys is a grid
        role="grid"
        aria-label="Correlations; arrow keys move, Enter opens the pair"
        onKeyDown={onKeyDown}
        onFocus={look}
        onBlur={() => {
          isInside.current = false;
          setLooked(undefined);
        }}
        onMouseOver={look}
        onMouseLeave={() => setLooked(undefined)}
        onClick={(event) => {
          const found = cellUnder(event.target);
          if (found) onOpen(found.cell);
        }}
        className={`num border-separate border-spacing-0 leading-none ${isNarrow ? "text-[10px]" : side < WIDE ? "text-[12px]" : "text-[14px]"}`}
      >
        <thead>
          <tr>
            <td aria-hidden="true" />
            {names.map((name, column) => (
              <th
                key={matrix.symbols[column]}
                scope="col"
                className={`sticky top-0 z-2 bg-bg pb-1 text-center align-bottom font-normal ${heading(column, column === looked?.column)}`}
              >
                <span className={side < 44 ? "inline-block rotate-180 [writing-mode:vertical-rl]" : ""}>{name}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name, row) => (
            <tr key={matrix.symbols[row]} style={{ height: side }}>
              <th
                scope="row"
                data-late={silent.get(matrix.symbols[row] as string)}
                className={`sticky left-0 z-1 bg-bg pr-1.5 pl-1 text-right font-normal ${heading(row, row === looked?.row)}`}
              >
                {name}
                {isLate(row) ? (
                  <span className="block text-[10px] leading-3">{silent.get(matrix.symbols[row] as string)}</span>
                ) : null}
              </th>
              {names.map((_, column) => (
                <Square
                  key={matrix.symbols[column]}
                  row={row}
                  column={column}
                  side={side}
                  text={
                    row === column
                      ? ""
                      : cellText(matrix.correlation[row]?.[column], isNarrow, matrix.flag[row]?.[column])
                  }
                  background={background(matrix, row, column)}
                  outline={outline(edgesOf(cluster, { row, column }))}
                  words={cellWords(matrix, { row, column }).join(", ")}
                  isLate={row !== column && (isLate(row) || isLate(column))}
                  isStop={row === current.row && column === current.column}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {looked && looked.row < count && looked.column < count ? <Tip matrix={matrix} looked={looked} /> : null}
    </>
  );
}

const background = (matrix: CorrelationMatrix, row: number, column: number): string => {
  const value = matrix.correlation[row]?.[column];
  return row === column || value == null ? "var(--color-raised)" : tint(value);
};

const GAP = "inset 0 0 0 0.5px var(--color-bg)";

/** The lines of the cluster over the gaps between the cells. */
const outline = (edges: Edges | undefined): string =>
  [
    edges?.top && "inset 0 2px",
    edges?.bottom && "inset 0 -2px",
    edges?.left && "inset 2px 0",
    edges?.right && "inset -2px 0",
  ]
    .flatMap((side) => (side ? [`${side} 0 var(--color-fg)`] : []))
    .concat(GAP)
    .join();

interface SquareProps {
  row: number;
  column: number;
  side: number;
  text: string;
  background: string;
  outline: string;
  words: string;
  isLate: boolean; // one of the two is silent
  isStop: boolean; // where Tab enters the grid
}

/** Drawn again only when what it says changes: most of a matrix stays the same from bar to bar. */
const Square = memo(function Square({ row, column, side, text, words, isLate, isStop, ...look }: SquareProps) {
  return (
    <td
      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: the cell of a grid
      role="gridcell"
      tabIndex={isStop ? 0 : -1}
      data-cell={`${row} ${column}`}
      aria-label={isLate ? `${words}, of a symbol that is silent` : words}
      data-late={isLate || undefined}
      className={`cursor-pointer p-0 text-center ${isLate ? "text-dim italic saturate-25" : "text-fg"}`}
      style={{ width: side, minWidth: side, background: look.background, boxShadow: look.outline }}
    >
      {text}
    </td>
  );
});

function cellUnder(target: EventTarget): { cell: Cell; element: HTMLElement } | undefined {
  const element = target instanceof Element ? target.closest<HTMLElement>("[data-cell]") : null;
  const [row, column] = element?.dataset.cell?.split(" ").map(Number) ?? [];
  return element && row !== undefined && column !== undefined ? { cell: { row, column }, element } : undefined;
}

const TIP_WIDTH = 240;

function Tip({ matrix, looked }: { matrix: CorrelationMatrix; looked: Looked }) {
  const [names, value, n, flag] = cellWords(matrix, looked);
  return (
    <div
      aria-hidden="true"
      className="pointer-events-none fixed z-40 w-60 rounded border border-edge bg-raised px-2.5 py-2 shadow-black/50 shadow-lg"
      style={{ left: Math.min(looked.x, innerWidth - TIP_WIDTH - 8), top: Math.min(looked.y + 4, innerHeight - 72) }}
    >
      <p className="font-semibold">{names}</p>
      <p>
        <span className="num">{value}</span>
        <span className="text-dim">, from {n}</span>
      </p>
      {flag ? <p className="text-short">{flag}</p> : null}
      <p className="text-dim">Enter opens the {looked.row === looked.column ? "symbol" : "pair"}.</p>
    </div>
  );
}

/** Too many for numbers: colours, and the number of the cell that is looked at. */
function Dots({ clustering, size, onOpen }: HeatmapProps) {
  const { matrix } = clustering;
  const count = matrix.symbols.length;
  const config = useConfig();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<Cell>({ row: 0, column: 1 });
  const current = { row: Math.min(at.row, count - 1), column: Math.min(at.column, count - 1) };
  const room = Math.min(size.width - 24, size.height - 48) - FRAME;
  const side = Math.max(4, Math.floor(room / count));
  const { row, column } = current;
  useEffect(() => {
    const names = shortNames(clustering.matrix.symbols, config);
    if (canvas.current) drawMatrix(canvas.current, clustering, names, { row, column }, side);
  }, [clustering, config, row, column, side]);

  const cellAt = (event: MouseEvent): Cell | undefined => {
    const { left, top } = event.currentTarget.getBoundingClientRect();
    const cell = {
      row: Math.floor((event.clientY - top - FRAME) / side),
      column: Math.floor((event.clientX - left - FRAME) / side),
    };
    return Math.min(cell.row, cell.column) >= 0 && Math.max(cell.row, cell.column) < count ? cell : undefined;
  };
  return (
    <div>
      <p aria-live="polite" className="num h-6">
        {cellWords(matrix, current).join(" · ")}
      </p>
      <div
        role="application"
        aria-label="Correlations; arrow keys move, Enter opens the pair"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes its own keys
        tabIndex={0}
        onMouseMove={(event) => setAt(cellAt(event) ?? current)}
        onClick={(event) => {
          const cell = cellAt(event);
          if (cell) onOpen(cell);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") return onOpen(current);
          const next = moved(current, event.key, count);
          if (!next) return;
          event.preventDefault();
          setAt(next);
        }}
        className="w-max cursor-pointer"
      >
        <canvas
          ref={canvas}
          className="block"
          style={{ width: FRAME + side * count + 1, height: FRAME + side * count + 1 }}
        />
      </div>
    </div>
  );
}
