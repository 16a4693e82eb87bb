// The matrix as colours on a canvas, for more symbols than numbers could be read of.

import type { Clustering } from "../api.gen";
import { type Cell, edgesOf, STRENGTH } from "../lib/matrix";

export const FRAME = 44; // pixels for the names above and to the left
const SMALLEST_NAME = 9; // of a cell that still has its name beside it

export function drawMatrix(
  canvas: HTMLCanvasElement,
  clustering: Clustering,
  names: readonly string[],
  at: Cell,
  side: number,
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { matrix } = clustering;
  const count = matrix.symbols.length;
  const ratio = window.devicePixelRatio;
  const full = FRAME + side * count + 1;
  canvas.width = full * ratio;
  canvas.height = full * ratio;
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const color = (name: string) => style.getPropertyValue(`--color-${name}`);
  const place = (index: number) => FRAME + index * side;

  matrix.correlation.forEach((values, row) => {
    values.forEach((value, column) => {
      const isKnown = value !== null && row !== column;
      context.globalAlpha = isKnown ? Math.abs(value) * STRENGTH : 1;
      context.fillStyle = isKnown ? color(value < 0 ? "short" : "long") : color("raised");
      context.fillRect(place(column), place(row), side - (side > 8 ? 1 : 0), side - (side > 8 ? 1 : 0));
    });
  });
  context.globalAlpha = 1;
  writeNames(context, names, side, color("dim"));

  context.strokeStyle = color("fg");
  context.lineWidth = 1.5;
  for (let i = 0; i < count; i++) {
    const first = edgesOf(clustering.cluster, { row: i, column: i });
    if (!first?.top) continue;
    let end = i;
    while (end + 1 < count && clustering.cluster[end + 1] === clustering.cluster[i]) end++;
    context.strokeRect(place(i), place(i), (end - i + 1) * side, (end - i + 1) * side);
  }
  context.strokeStyle = color("vwap");
  context.strokeRect(place(at.column) - 0.5, place(at.row) - 0.5, side, side);
}

function writeNames(context: CanvasRenderingContext2D, texts: readonly string[], side: number, color: string): void {
  if (side < SMALLEST_NAME) return;
  context.fillStyle = color;
  context.font = `${Math.min(side, 11)}px ui-sans-serif, system-ui, sans-serif`;
  context.textBaseline = "middle";
  texts.forEach((text, i) => {
    const middle = FRAME + (i + 0.5) * side;
    context.textAlign = "right";
    context.fillText(text, FRAME - 4, middle, FRAME - 6);
    context.save();
    context.translate(middle, FRAME - 4);
    context.rotate(-Math.PI / 2);
    context.textAlign = "left";
    context.fillText(text, 0, 0, FRAME - 6);
    context.restore();
  });
}
