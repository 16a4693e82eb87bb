// A metric as text: decimals by its unit, and words for why it has none.

import type { Quantity } from "../api.gen";
import { basisPoints, compact, DASH, fixed, percent, signed, significant } from "./format";

type Write = (value: number, decimals: number) => string;

const BY_UNIT: Record<string, Write> = {
  price: (value, decimals) => fixed(value, decimals),
  log: (value) => basisPoints(value),
  sigma: (value) => signed(value, 2),
  base: (value) => compact(value),
  quote: (value) => compact(value),
  count: (value) => compact(value),
  share: (value) => percent(value, 2),
};

/** `decimals` are those of the symbol's prices. */
export function quantityText(quantity: Quantity | undefined, decimals: number): string {
  const value = quantity?.value;
  if (value === null || value === undefined) return DASH;
  if (typeof value === "string") return value.toLowerCase();
  const write = BY_UNIT[quantity?.unit ?? ""] ?? ((plain: number) => significant(plain, 4));
  return write(value, decimals);
}

export const numeric = (quantity: Quantity | undefined): number | undefined =>
  typeof quantity?.value === "number" ? quantity.value : undefined;

const REASONS: Record<string, string> = {
  too_few_observations: "too few bars yet",
  constant_series: "the series does not move",
  not_converged: "the estimate did not converge",
  stale: "no recent trades",
};

/** Why there is no value, and when there will be. */
export function reasonText(quantity: Quantity | undefined): string {
  if (!quantity || quantity.value !== null) return "";
  const reason = quantity.reason ?? "not available";
  const words = REASONS[reason] ?? reason.replaceAll("_", " ");
  return quantity.n < quantity.window ? `${words}: ${quantity.n} of ${quantity.window}` : words;
}

/** `z needs 120 bars: 37/120, ready in about 83 s`; undefined when the value is there or waiting would not help. */
export function warmUp(name: string, quantity: Quantity | undefined, stepMs: number): string | undefined {
  if (!quantity || quantity.value !== null || quantity.n >= quantity.window) return undefined;
  const seconds = ((quantity.window - quantity.n) * stepMs) / 1000;
  const wait = seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  return `${name} needs ${quantity.window} bars: ${quantity.n}/${quantity.window}, ready in about ${wait}`;
}
