// A small curve with its axis: a picture for the eye, a sentence and a table for everybody else.

import { type PointerEvent, useEffect, useRef, useState } from "react";
import { nearest, type Plane, pathOf, planeOf, roundTicks, type Scale } from "./plane";

const HEIGHT = 116;
const MARGIN = { left: 38, right: 8, top: 6, bottom: 18 };
const LETTER = 6.2; // pixels of a letter on the axis, about
const APART = 6; // least pixels between two words

export interface Tick {
  at: number;
  text: string;
}

interface Props {
  title: string;
  summary: string; // what the curve says, in a sentence
  x: readonly number[];
  y: readonly (number | null)[];
  scale: Scale;
  ticks: readonly Tick[];
  format: (value: number) => string; // of y
  level?: { at: number; text: string } | undefined; // a line across
  mark?: { at: number; low: number | null; high: number | null } | undefined; // the best x, and how sure it is
  read: (point: number) => string; // one point in words
  columns: readonly [x: string, y: string];
}

export function Curve(props: Props) {
  const { title, summary, x, y, scale, level } = props;
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const [at, setAt] = useState(-1);
  const box = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom };
  const plane = planeOf(x, y, level ? [level.at] : [], scale, box);
  const look = (event: PointerEvent<SVGSVGElement>) =>
    setAt(nearest(x, y, plane, event.clientX - event.currentTarget.getBoundingClientRect().left));
  return (
    <figure aria-label={title} className="border-line border-b px-3 pb-1.5">
      <figcaption>
        <span className="caption leading-6">{title}</span>
        <span className="block min-h-8 pb-1 leading-4">{at >= 0 && at < x.length ? props.read(at) : summary}</span>
      </figcaption>
      <div ref={holder}>
        {width > 0 && y.some((value) => value !== null) ? (
          <svg
            role="img"
            aria-label={summary}
            width={width}
            height={HEIGHT}
            onPointerMove={look}
            onPointerLeave={() => setAt(-1)}
            className="block text-[10px]"
          >
            <Axes {...props} plane={plane} width={width} />
            <path d={pathOf(x, y, plane)} fill="none" strokeWidth="1.5" className="stroke-long" />
            {scale === "log" ? <Dots {...props} plane={plane} /> : null}
            {at >= 0 && at < x.length ? <Cursor x={plane.toX(x[at] as number)} /> : null}
          </svg>
        ) : null}
      </div>
      <AsTable {...props} />
    </figure>
  );
}

function Axes({ ticks, format, level, mark, plane, width }: Props & { plane: Plane; width: number }) {
  const bottom = HEIGHT - MARGIN.bottom;
  const words = spaced(ticks, plane.toX, MARGIN.left, width - MARGIN.right);
  return (
    <>
      {mark && mark.low !== null && mark.high !== null ? (
        <rect
          x={plane.toX(mark.low)}
          width={Math.max(1, plane.toX(mark.high) - plane.toX(mark.low))}
          y={MARGIN.top}
          height={bottom - MARGIN.top}
          className="fill-short/20"
        />
      ) : null}
      {roundTicks(plane.low, plane.high, 4).map((value) => (
        <g key={value}>
          <line
            x1={MARGIN.left}
            x2={width - MARGIN.right}
            y1={plane.toY(value)}
            y2={plane.toY(value)}
            className="stroke-line"
          />
          <text x={MARGIN.left - 4} y={plane.toY(value) + 3} textAnchor="end" className="num fill-dim">
            {format(value)}
          </text>
        </g>
      ))}
      {words.map(({ at, text, middle }) => (
        <text key={at} x={middle} y={HEIGHT - 5} textAnchor="middle" className="num fill-dim">
          {text}
        </text>
      ))}
      {level ? (
        <g>
          <line
            x1={MARGIN.left}
            x2={width - MARGIN.right}
            y1={plane.toY(level.at)}
            y2={plane.toY(level.at)}
            strokeDasharray="4 3"
            className="stroke-ok"
          />
          <text
            x={width - MARGIN.right}
            y={plane.toY(level.at) + (level.at > (plane.low + plane.high) / 2 ? 11 : -4)}
            textAnchor="end"
            strokeWidth="3"
            className="fill-ok stroke-panel [paint-order:stroke]"
          >
            {level.text}
          </text>
        </g>
      ) : null}
      {mark ? (
        <line x1={plane.toX(mark.at)} x2={plane.toX(mark.at)} y1={MARGIN.top} y2={bottom} className="stroke-short" />
      ) : null}
    </>
  );
}

const Dots = ({ x, y, plane }: Props & { plane: Plane }) =>
  x.map((at, i) => {
    const value = y[i] ?? null;
    return value === null ? null : (
      <circle key={at} cx={plane.toX(at)} cy={plane.toY(value)} r="2.5" className="fill-long" />
    );
  });

const Cursor = ({ x }: { x: number }) => (
  <line x1={x} x2={x} y1={MARGIN.top} y2={HEIGHT - MARGIN.bottom} className="stroke-dim" strokeDasharray="2 2" />
);

interface Word extends Tick {
  middle: number;
}

/** The words on an axis that have room: the outer ones first, and of the others those that run into none. */
export function spaced(ticks: readonly Tick[], toX: (at: number) => number, left: number, right: number): Word[] {
  const words = ticks.map((tick) => {
    const half = (tick.text.length * LETTER) / 2;
    return { ...tick, half, middle: Math.min(Math.max(toX(tick.at), left + half), right - half) };
  });
  const kept: typeof words = [];
  for (const word of [words.at(-1), ...words])
    if (word && kept.every((other) => Math.abs(other.middle - word.middle) >= other.half + word.half + APART))
      kept.push(word);
  return kept.sort((a, b) => a.at - b.at);
}

function AsTable({ title, x, y, columns, format, ticks }: Props) {
  const [isOpen, setOpen] = useState(false);
  const word = new Map(ticks.map(({ at, text }) => [at, text]));
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="cursor-pointer text-[11px] text-dim leading-5 hover:text-fg">As a table</summary>
      {isOpen ? (
        <div className="max-h-44 overflow-y-auto">
          <table className="w-full border-collapse">
            <caption className="sr-only">{title}</caption>
            <thead className="text-dim">
              <tr>
                {columns.map((column) => (
                  <th key={column} scope="col" className="text-right font-normal first:text-left">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {x.map((at, i) => (
                <tr key={at}>
                  <th scope="row" className="num text-left font-normal">
                    {word.get(at) ?? at}
                  </th>
                  <td className="num text-right">{y[i] == null ? "—" : format(y[i] as number)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </details>
  );
}

function useWidth(holder: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [holder]);
  return width;
}
