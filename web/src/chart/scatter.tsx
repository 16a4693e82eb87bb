// The hedge as a picture: the last window of y against x on the scales of its line, newest brightest, and the fitted line.

import { useEffect, useRef } from "react";
import type { PairColumns } from "../api.gen";
import { fixed } from "../lib/format";
import type { Prices } from "../lib/methods";
import type { Topic } from "../wire/state";
import { roundTicks } from "./plane";
import { COLORS } from "./theme";

const REDRAW_MS = 500;
const MARGIN = { left: 8, right: 58, top: 8, bottom: 20 };

export interface Cloud {
  x: number[]; // ln x, or x itself, oldest first
  y: number[];
  fit: { alpha: number; beta: number } | undefined;
}

/** The points of the newest window and the line through them; undefined while there are less than two. */
export function cloudOf(pair: PairColumns, window: number, prices: Prices = "log"): Cloud | undefined {
  const { of } = SCALES[prices];
  const alpha = pair.alpha.at(-1);
  const beta = pair.beta.at(-1);
  const cloud: Cloud = { x: [], y: [], fit: alpha == null || beta == null ? undefined : { alpha, beta } };
  for (let i = Math.max(0, pair.x.length - window); i < pair.x.length; i++) {
    const x = pair.x[i];
    const y = pair.y[i];
    if (x == null || y == null) continue;
    cloud.x.push(of(x));
    cloud.y.push(of(y));
  }
  return cloud.x.length > 1 ? cloud : undefined;
}

const SCALES: Record<Prices, { of: (price: number) => number; back: (place: number) => number }> = {
  log: { of: Math.log, back: Math.exp },
  level: { of: (price) => price, back: (place) => place },
};

interface Decimals {
  x: number;
  y: number;
}

export function draw(canvas: HTMLCanvasElement, cloud: Cloud, decimals: Decimals, prices: Prices): void {
  const { of, back } = SCALES[prices];
  const context = canvas.getContext("2d");
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!context || !width) return;
  const ratio = window.devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  context.scale(ratio, ratio);
  context.font = '10px ui-sans-serif, system-ui, "Segoe UI", sans-serif';
  const [x0, x1] = padded(cloud.x);
  const [y0, y1] = padded(cloud.y);
  const right = width - MARGIN.right;
  const bottom = height - MARGIN.bottom;
  const toX = (value: number) => MARGIN.left + ((value - x0) / (x1 - x0)) * (right - MARGIN.left);
  const toY = (value: number) => bottom - ((value - y0) / (y1 - y0)) * (bottom - MARGIN.top);

  context.strokeStyle = COLORS.grid;
  context.fillStyle = COLORS.text;
  context.textAlign = "center";
  for (const tick of roundTicks(back(x0), back(x1), 3)) {
    const at = Math.round(toX(of(tick))) + 0.5;
    stroke(context, at, MARGIN.top, at, bottom);
    const half = context.measureText(fixed(tick, decimals.x)).width / 2;
    context.fillText(fixed(tick, decimals.x), Math.max(at, half + 2), height - 6);
  }
  context.textAlign = "left";
  for (const tick of roundTicks(back(y0), back(y1), 4)) {
    const at = Math.round(toY(of(tick))) + 0.5;
    stroke(context, MARGIN.left, at, right, at);
    context.fillText(fixed(tick, decimals.y), right + 6, at + 3);
  }

  context.save();
  context.beginPath();
  context.rect(MARGIN.left, MARGIN.top, right - MARGIN.left, bottom - MARGIN.top);
  context.clip();
  const { length } = cloud.x;
  cloud.x.forEach((value, i) => {
    context.fillStyle = `rgba(76,155,232,${(0.15 + 0.75 * (i / length) ** 2).toFixed(2)})`;
    context.fillRect(toX(value) - 1, toY(cloud.y[i] as number) - 1, 2, 2);
  });
  if (cloud.fit) {
    const { alpha, beta } = cloud.fit;
    context.strokeStyle = COLORS.down;
    stroke(context, toX(x0), toY(alpha + beta * x0), toX(x1), toY(alpha + beta * x1));
  }
  context.strokeStyle = "#d7dde6";
  context.beginPath();
  context.arc(toX(cloud.x.at(-1) as number), toY(cloud.y.at(-1) as number), 3.5, 0, 2 * Math.PI);
  context.stroke();
  context.restore();
}

function padded(values: readonly number[]): [number, number] {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const pad = (high - low) * 0.06 || 1e-6;
  return [low - pad, high + pad];
}

function stroke(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

interface Props {
  topic: Topic | undefined;
  window: number;
  y: string;
  x: string;
  prices: Prices;
  decimals: Decimals;
}

export function HedgeScatter({ topic, window: bars, y, x, prices, decimals }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { x: xDecimals, y: yDecimals } = decimals;
  useEffect(() => {
    const redraw = () => {
      const cloud = topic?.state.pair && cloudOf(topic.state.pair, bars, prices);
      if (canvas.current && cloud && !document.hidden) {
        draw(canvas.current, cloud, { x: xDecimals, y: yDecimals }, prices);
      }
    };
    redraw();
    const timer = setInterval(redraw, REDRAW_MS);
    return () => clearInterval(timer);
  }, [topic, bars, prices, xDecimals, yDecimals]);
  return (
    <section aria-label="Hedge" className="border-line border-t">
      <h2 className="caption px-3 leading-7">
        Hedge · {y} on {x}
      </h2>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`The last ${bars} bars of ${y} against ${x} with the fitted line`}
        className="block h-40 w-full"
      />
    </section>
  );
}
