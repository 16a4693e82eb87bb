// A metric as text: decimals by its unit, and words for why it has none.

import type { Quantity } from "../api.gen";
import { basisPoints, compact, DASH, fixed, percent, signed, significant } from "./format";

type Write = (value: number, decimals: number) => string;

const BY_UNIT: Record<string, Write> = {
  price: fixed,
  ln: (value) => basisPoints(value),
  "ln per bar": (value) => `${fixed(value * 1e4, 2)} bp`,
  "ln per year": (value) => percent(value, 1),
  "y per x": (value) => fixed(value, 4),
  base: (value) => compact(value),
  quote: (value) => compact(value),
  trades: (value) => fixed(value, 0),
  "1": (value) => (value !== 0 && Math.abs(value) < 0.01 ? significant(value, 2) : fixed(value, 3)),
};

// Numbers whose unit does not say how they are read.
const BY_NAME: Record<string, Write> = {
  alpha: (value) => signed(value, 4),
  beta: (value) => fixed(value, 4),
  correlation: (value) => fixed(value, 3),
  spread: (value) => basisPoints(value),
  price_z: (value) => signed(value, 2),
  spread_z: (value) => signed(value, 2),
  order_flow: (value) => `${signed(value * 100, 1)} %`,
  spread_std: (value) => `${fixed(value * 1e4, 2)} bp`,
};

type Value = Quantity["value"] | undefined;

/** The value of a metric as text; `decimals` are those of the symbol's prices. */
export function valueText(name: string, value: Value, unit: string | undefined, decimals: number): string {
  if (value === null || value === undefined) return DASH;
  if (typeof value === "string") return value.toLowerCase();
  const write = BY_NAME[name] ?? BY_UNIT[unit ?? ""] ?? ((plain: number) => significant(plain, 4));
  return write(value, decimals);
}

export const quantityText = (name: string, quantity: Quantity | undefined, decimals: number): string =>
  valueText(name, quantity?.value, quantity?.unit, decimals);

const REASONS: Record<string, string> = {
  too_few_observations: "too few bars yet",
  constant_series: "the price did not move",
  exact_fit: "the line fits exactly",
  stale: "no recent trades",
  no_volume: "nothing was traded",
  not_finite: "no finite number",
};

/** Why there is no value; empty when there is one. */
export function reasonText(quantity: Quantity | undefined): string {
  if (!quantity || quantity.value !== null) return "";
  const reason = quantity.reason ?? "not available";
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}

/**
 * What is said while a window fills: `z needs 120 bars: 37/120, ready in about 83 s`. A value that is there before
 * its window is full says on how little it rests.
 */
export function warmUp(name: string, quantity: Quantity | undefined, stepMs: number): string | undefined {
  if (!quantity || quantity.n >= quantity.window) return undefined;
  const { n, window } = quantity;
  const seconds = ((window - n) * stepMs) / 1000;
  const wait = seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  return quantity.value === null
    ? `${name} needs ${window} bars: ${n}/${window}, ready in about ${wait}`
    : `${name} rests on ${n} of ${window} bars, full in about ${wait}`;
}
