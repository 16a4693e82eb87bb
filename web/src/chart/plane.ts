// From numbers to places on a small picture. Pure.

export type Scale = "linear" | "log";

export interface Plane {
  toX: (x: number) => number;
  toY: (y: number) => number;
  low: number; // of y
  high: number;
}

export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** A plane that holds all points and the values of `also` on its y axis, with a little room around them. */
export function planeOf(
  x: readonly number[],
  y: readonly (number | null)[],
  also: readonly number[],
  scale: Scale,
  box: Box,
): Plane {
  const measure = scale === "log" ? Math.log : (value: number) => value;
  const from = measure(x[0] ?? 1);
  const width = measure(x.at(-1) ?? 1) - from || 1;
  const values = [...y.filter((value) => value !== null), ...also];
  const least = values.length ? Math.min(...values) : 0;
  const most = values.length ? Math.max(...values) : 1;
  const pad = (most - least) * 0.08 || 0.1;
  const [low, high] = [least - pad, most + pad];
  return {
    toX: (at) => box.left + ((measure(at) - from) / width) * (box.right - box.left),
    toY: (at) => box.bottom - ((at - low) / (high - low)) * (box.bottom - box.top),
    low,
    high,
  };
}

/** The line as an SVG path, broken where there is no value. */
export function pathOf(x: readonly number[], y: readonly (number | null)[], { toX, toY }: Plane): string {
  let isDown = false;
  const steps: string[] = [];
  x.forEach((at, i) => {
    const value = y[i] ?? null;
    if (value !== null) steps.push(`${isDown ? "L" : "M"}${toX(at).toFixed(1)} ${toY(value).toFixed(1)}`);
    isDown = value !== null;
  });
  return steps.join("");
}

/** Which point is next to a place on the picture; -1 when there is none with a value. */
export function nearest(x: readonly number[], y: readonly (number | null)[], plane: Plane, place: number): number {
  let best = -1;
  let distance = Number.POSITIVE_INFINITY;
  x.forEach((at, i) => {
    const away = Math.abs(plane.toX(at) - place);
    if (y[i] === null || away >= distance) return;
    best = i;
    distance = away;
  });
  return best;
}

/** Round values between `low` and `high`, about `count` of them. */
export function roundTicks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count;
  if (!(raw > 0) || !Number.isFinite(raw)) return [];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= raw) as number) * power;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}
